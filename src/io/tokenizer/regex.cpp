#include "io/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <time.h>

#include "base/error.h"
#include "base/text.h"
#include "io/tokenizer/oniguruma.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {
namespace {

constexpr size_t kMaxPatternBytes = 16 << 10;
// Steps of one search. The patterns in use need a few hundred; one that backtracks without end meets this in well under a second.
constexpr uint32_t kMatchLimit = 2'000'000;
constexpr uint32_t kHeapLimitKiB = 32 << 10;
constexpr size_t kStackBytes = 1 << 20;
constexpr unsigned kSearchesPerClockReading = 256;

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  return pcre2_get_error_message(code, text, sizeof(text)) < 0 ? fmt::format("error {}", code) : std::string(reinterpret_cast<char*>(text));
}

}  // namespace

struct Regex::Scratch::Memory {
  pcre2_match_data* match = nullptr;
  pcre2_match_context* context = nullptr;
  pcre2_jit_stack* stack = nullptr;
  ~Memory() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
    pcre2_jit_stack_free(stack);
  }
};

Regex::Scratch::Scratch() : memory_(std::make_unique<Memory>()) {
  memory_->match = pcre2_match_data_create(1, nullptr);
  memory_->context = pcre2_match_context_create(nullptr);
  memory_->stack = pcre2_jit_stack_create(32 << 10, kStackBytes, nullptr);
  if (!memory_->match || !memory_->context) fail(ErrorKind::no_fit, "tokenizer", "no memory for a regular expression search");
  pcre2_set_match_limit(memory_->context, kMatchLimit);
  pcre2_set_heap_limit(memory_->context, kHeapLimitKiB);
  if (memory_->stack) pcre2_jit_stack_assign(memory_->context, nullptr, memory_->stack);
}
Regex::Scratch::~Scratch() = default;
Regex::Scratch::Scratch(Scratch&&) noexcept = default;
Regex::Scratch& Regex::Scratch::operator=(Scratch&&) noexcept = default;

void Regex::Scratch::begin_text(size_t size_bytes) {
  // A hundred times what the slowest pattern in use takes, so only a pattern whose every search runs far through the text meets it.
  deadline_s_ = thread_seconds() + 1 + 4e-6 * static_cast<double>(size_bytes);
}

Regex::Regex(std::string_view pattern, std::string what) : pattern_(pattern), what_(std::move(what)), code_(nullptr, &pcre2_code_free) {
  if (pattern.size() > kMaxPatternBytes)
    fail(ErrorKind::file, "tokenizer", "{}: a regular expression of {} bytes, expected at most {}", what_, pattern.size(), kMaxPatternBytes);
  if (!is_valid_utf8(pattern)) fail(ErrorKind::file, "tokenizer", "{}: the regular expression is not UTF-8", what_);
  std::string translated = pcre2_pattern(pattern, what_);
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(pcre2_compile_context_create(nullptr),
                                                                                        &pcre2_compile_context_free);
  if (!context) fail(ErrorKind::no_fit, "tokenizer", "no memory for a regular expression");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), 100);
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Oniguruma's ^ and $ mean lines always, hence MULTILINE.
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(), kOptions, &error, &offset, context.get()));
  if (!code_)
    fail(ErrorKind::file, "tokenizer", "{}: the regular expression '{}' cannot be used: {} near '{}'", what_, printable(pattern, 200),
         message_of(error), printable(std::string_view(translated).substr(offset > 10 ? offset - 10 : 0, 20), 40));
  compiled_to_machine_code_ = pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE) == 0;
}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

std::optional<std::pair<size_t, size_t>> Regex::search(std::string_view text, size_t from, Scratch& scratch, std::string_view* mark) const {
  if (++scratch.searches_ % kSearchesPerClockReading == 0 && scratch.deadline_s_ > 0 && thread_seconds() > scratch.deadline_s_)
    fail(ErrorKind::file, "tokenizer", "{}: the regular expression '{}' takes too long on a text of {} bytes", what_, printable(pattern_, 200),
         text.size());
  auto subject = reinterpret_cast<PCRE2_SPTR>(text.data() ? text.data() : "");
  auto* memory = scratch.memory_.get();
  int found = compiled_to_machine_code_ ? pcre2_jit_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, memory->match, memory->context)
                                        : pcre2_match(code_.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK, memory->match, memory->context);
  if (found == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (found < 0)
    fail(ErrorKind::file, "tokenizer", "{}: the regular expression '{}' gave up at byte {} of a text of {} bytes: {}", what_,
         printable(pattern_, 200), from, text.size(), message_of(found));
  if (mark) {
    PCRE2_SPTR name = pcre2_get_mark(memory->match);
    *mark = name ? reinterpret_cast<const char*>(name) : std::string_view{};
  }
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(memory->match);
  // \K inside a lookahead can put the start behind the end; such a match has nothing to report.
  if (range[0] > range[1] || range[0] < from) return std::pair(range[1], range[1]);
  return std::pair(range[0], range[1]);
}

size_t Regex::next_character(std::string_view text, size_t i) { return i < text.size() ? i + char_length(text[i]) : i + 1; }

}  // namespace motley::tok
