#include "io/tokenizer/decoder.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "io/tokenizer/byte_alphabet.h"
#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/unicode.h"

namespace motley::tok {

// Receives tokens in chunks: begins says that the chunk starts a new token, else it continues the last.
class Decoder::Step {
 public:
  virtual ~Step() = default;
  virtual void put(std::string_view text, bool begins) = 0;
  virtual void finish() {
    if (next_) next_->finish();
  }
  void set_next(Step* next) { next_ = next; }

 protected:
  Step* next_ = nullptr;
};

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t done = 0;
  if (!from.empty())
    for (size_t at = text.find(from); at != text.npos; at = text.find(from, done)) {
      out += text.substr(done, at - done);
      out += to;
      done = at + from.size();
    }
  out += text.substr(done);
  return out;
}

std::string replaced(std::string_view text, const ReplaceStep& step) {
  if (!step.regex) return replaced(text, step.from, step.to);
  Regex::Scratch scratch;
  scratch.begin_text(text.size());
  std::string out;
  size_t done = 0;
  std::string valid = lossy_utf8(text);
  step.regex->for_each(valid, scratch, [&](size_t begin, size_t end) {
    out.append(valid, done, begin - done);
    out += step.to;
    done = end;
  });
  return out.append(valid, done);
}

// The clean-up of one token: that of a text, and one rule more.
std::string cleaned_up(std::string text) { return replaced(clean_up_spaces(std::move(text)), " do not", " don't"); }

// The byte of "<0x0A>", or -1.
int byte_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (char c : token.substr(3, 2)) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

std::string bytes_of(std::string_view token) {
  auto bytes = alphabet_to_bytes(token);
  return bytes ? *std::move(bytes) : std::string(token);
}

class Output : public Decoder::Step {
 public:
  explicit Output(std::string& out) : out_(out) {}
  void put(std::string_view text, bool) override { out_ += text; }

 private:
  std::string& out_;
};

// Base of the steps that need whole tokens.
class WholeTokens : public Decoder::Step {
 public:
  // whole: whoever comes before gives each token in one chunk.
  explicit WholeTokens(bool whole) : whole_(whole) {}
  void put(std::string_view text, bool begins) override {
    if (whole_) return token(std::string(text));
    if (begins && open_) token(std::exchange(collected_, {}));
    open_ = true;
    collected_ += text;
  }
  void finish() override {
    if (open_) token(std::exchange(collected_, {}));
    open_ = false;
    end();
    Step::finish();
  }

 protected:
  virtual void token(std::string text) = 0;
  virtual void end() {}

 private:
  bool whole_, open_ = false;
  std::string collected_;
};

class ByteLevelRun : public Decoder::Step {
 public:
  void put(std::string_view text, bool) override {
    waiting_ += bytes_of(text);
    give(complete_utf8_prefix(waiting_));
  }
  void finish() override {
    give(waiting_.size());
    Step::finish();
  }

 private:
  void give(size_t size) {
    if (size == 0) return;
    next_->put(lossy_utf8(std::string_view(waiting_).substr(0, size)), std::exchange(first_, false));
    waiting_.erase(0, size);
  }
  std::string waiting_;
  bool first_ = true;
};

class ByteFallbackRun : public WholeTokens {
 public:
  ByteFallbackRun(bool whole, bool eager) : WholeTokens(whole), eager_(eager) {}

 private:
  void token(std::string text) override {
    int byte = byte_token(text);
    if (byte < 0) {
      end();
      next_->put(text, true);
      return;
    }
    bytes_ += static_cast<char>(static_cast<unsigned char>(byte));
    if (eager_) give_characters(false);
  }
  void end() override {
    if (eager_) return give_characters(true);
    if (is_valid_utf8(bytes_)) {
      if (!bytes_.empty()) next_->put(bytes_, true);
    } else {
      for (size_t i = 0; i < bytes_.size(); ++i) next_->put(kReplacement, true);
    }
    bytes_.clear();
  }
  void give_characters(bool all) {
    size_t size = all ? bytes_.size() : complete_utf8_prefix(bytes_);
    if (size == 0) return;
    next_->put(valid_utf8(std::string_view(bytes_).substr(0, size)), true);
    bytes_.erase(0, size);
  }
  bool eager_;
  std::string bytes_;
};

class FuseRun : public Decoder::Step {
 public:
  void put(std::string_view text, bool) override { next_->put(text, std::exchange(first_, false)); }

 private:
  bool first_ = true;
};

class StripRun : public Decoder::Step {
 public:
  explicit StripRun(const StripStep& step) : step_(step) {}
  void put(std::string_view text, bool begins) override {
    if (begins) {
      end_token();
      left_ = step_.start;
      put_any_ = false;
    }
    while (left_ > 0 && !step_.content.empty() && text.starts_with(step_.content)) text.remove_prefix(step_.content.size()), --left_;
    if (!text.empty()) left_ = 0;
    if (step_.stop == 0) return give(text);
    // What may be the end of the token waits: everything from its last character that is not content.
    held_ += text;
    size_t certain = held_.size();
    while (certain >= step_.content.size() && std::string_view(held_).substr(0, certain).ends_with(step_.content)) certain -= step_.content.size();
    if (certain > 0) give(std::string_view(held_).substr(0, certain));
    held_.erase(0, certain);
  }
  void finish() override {
    end_token();
    Step::finish();
  }

 private:
  void give(std::string_view text) { next_->put(text, !std::exchange(put_any_, true)); }
  void end_token() {
    size_t copies = held_.size() / step_.content.size();
    size_t kept = copies - std::min(copies, step_.stop);
    if (kept > 0) give(std::string_view(held_).substr(0, kept * step_.content.size()));
    held_.clear();
  }
  StripStep step_;
  size_t left_ = 0;
  bool put_any_ = false;
  std::string held_;
};

class ReplaceRun : public WholeTokens {
 public:
  ReplaceRun(const ReplaceStep& step, bool whole) : WholeTokens(whole), step_(step) {}

 private:
  void token(std::string text) override { next_->put(replaced(text, step_), true); }
  ReplaceStep step_;
};

// Replacing one character needs no whole token.
class ReplaceCharacterRun : public Decoder::Step {
 public:
  explicit ReplaceCharacterRun(const ReplaceStep& step) : step_(step) {}
  void put(std::string_view text, bool begins) override { next_->put(replaced(text, step_), begins); }

 private:
  ReplaceStep step_;
};

class MetaspaceRun : public Decoder::Step {
 public:
  explicit MetaspaceRun(const MetaspaceStep& step) : step_(step) {}
  void put(std::string_view text, bool begins) override {
    if (begins) ++tokens_;
    next_->put(replaced(text, step_.replacement, tokens_ <= 1 && step_.strip_first ? "" : " "), begins);
  }

 private:
  MetaspaceStep step_;
  size_t tokens_ = 0;
};

std::string wordpiece_text(std::string_view token, const WordPieceStep& step, bool first) {
  std::string text;
  if (first) {
    text = token;
  } else if (token.starts_with(step.prefix)) {
    text = token.substr(step.prefix.size());
  } else {
    text = " " + std::string(token);
  }
  return step.cleanup ? cleaned_up(std::move(text)) : text;
}

class WordPieceRun : public WholeTokens {
 public:
  WordPieceRun(const WordPieceStep& step, bool whole) : WholeTokens(whole), step_(step) {}

 private:
  void token(std::string text) override { next_->put(wordpiece_text(text, step_, std::exchange(first_, false)), true); }
  WordPieceStep step_;
  bool first_ = true;
};

class BpeSuffixRun : public WholeTokens {
 public:
  BpeSuffixRun(const BpeSuffixStep& step, bool whole) : WholeTokens(whole), step_(step) {}

 private:
  void token(std::string text) override {
    if (last_) next_->put(replaced(*last_, step_.suffix, " "), true);
    last_ = std::move(text);
  }
  void end() override {
    if (last_) next_->put(replaced(*last_, step_.suffix, ""), true);
    last_.reset();
  }
  BpeSuffixStep step_;
  std::optional<std::string> last_;
};

std::string ctc_text(std::string_view token, const CtcStep& step) {
  std::string text = replaced(token, step.pad_token, "");
  return step.cleanup ? replaced(cleaned_up(std::move(text)), step.word_delimiter, " ") : text;
}

class CtcRun : public WholeTokens {
 public:
  CtcRun(const CtcStep& step, bool whole) : WholeTokens(whole), step_(step) {}

 private:
  void token(std::string text) override {
    if (last_ && *last_ == text) return;
    std::string out = ctc_text(text, step_);
    last_ = std::move(text);
    if (!out.empty()) next_->put(out, true);
  }
  CtcStep step_;
  std::optional<std::string> last_;
};

class JoinRun : public Decoder::Step {
 public:
  void put(std::string_view text, bool begins) override {
    if (begins && !std::exchange(first_, false)) next_->put(" ", true);
    next_->put(text, begins);
  }

 private:
  bool first_ = true;
};

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

bool is_one_character(const std::string& s) { return !s.empty() && s.size() == char_length(s[0]); }

}  // namespace

Decoder::Run::Run() = default;
Decoder::Run::Run(Run&&) noexcept = default;
Decoder::Run& Decoder::Run::operator=(Run&&) noexcept = default;
Decoder::Run::~Run() = default;
void Decoder::Run::put(std::string_view token) { steps_[0]->put(token, true); }
void Decoder::Run::finish() { steps_[0]->finish(); }

Decoder::Run Decoder::start(std::string& out, bool eager) const {
  Run run;
  bool whole = true;  // tokens still come in one chunk each
  for (const DecoderStep& step : steps_) {
    using Made = std::unique_ptr<Step>;
    run.steps_.push_back(
        std::visit(Overloaded{
                       [&](const ByteLevelStep&) -> Made {
                         whole = false;
                         return std::make_unique<ByteLevelRun>();
                       },
                       [&](const ByteFallbackStep& s) -> Made { return std::make_unique<ByteFallbackRun>(whole, eager || s.keep_valid); },
                       [&](const FuseStep&) -> Made {
                         whole = false;
                         return std::make_unique<FuseRun>();
                       },
                       [&](const StripStep& s) -> Made {
                         bool held = s.stop > 0;
                         whole = whole && !held;
                         return std::make_unique<StripRun>(s);
                       },
                       [&](const ReplaceStep& s) -> Made {
                         if (!s.regex && is_one_character(s.from)) return std::make_unique<ReplaceCharacterRun>(s);
                         return std::make_unique<ReplaceRun>(s, std::exchange(whole, true));
                       },
                       [&](const MetaspaceStep& s) -> Made { return std::make_unique<MetaspaceRun>(s); },
                       [&](const WordPieceStep& s) -> Made { return std::make_unique<WordPieceRun>(s, std::exchange(whole, true)); },
                       [&](const BpeSuffixStep& s) -> Made { return std::make_unique<BpeSuffixRun>(s, std::exchange(whole, true)); },
                       [&](const CtcStep& s) -> Made { return std::make_unique<CtcRun>(s, std::exchange(whole, true)); },
                       [&](const JoinStep&) -> Made { return std::make_unique<JoinRun>(); },
                   },
                   step));
  }
  run.steps_.push_back(std::make_unique<Output>(out));
  for (size_t i = 0; i + 1 < run.steps_.size(); ++i) run.steps_[i]->set_next(run.steps_[i + 1].get());
  return run;
}

std::string Decoder::piece(std::string_view token) const {
  std::string text(token);
  bool fused = false;
  for (const DecoderStep& step : steps_)
    std::visit(Overloaded{
                   [&](const ByteLevelStep&) {
                     text = bytes_of(text);
                     fused = true;
                   },
                   [&](const ByteFallbackStep&) {
                     if (int byte = byte_token(text); byte >= 0) text = std::string(1, static_cast<char>(static_cast<unsigned char>(byte)));
                   },
                   [&](const FuseStep&) { fused = true; },
                   [&](const StripStep& s) {
                     if (fused) return;  // the ends of a whole text
                     for (size_t k = 0; k < s.start && !s.content.empty() && text.starts_with(s.content); ++k) text.erase(0, s.content.size());
                     for (size_t k = 0; k < s.stop && !s.content.empty() && text.ends_with(s.content); ++k)
                       text.resize(text.size() - s.content.size());
                   },
                   [&](const ReplaceStep& s) {
                     if (s.regex ? is_valid_utf8(text) : true) text = replaced(text, s);
                   },
                   [&](const MetaspaceStep& s) { text = replaced(text, s.replacement, " "); },
                   [&](const WordPieceStep& s) { text = wordpiece_text(text, s, false); },
                   [&](const BpeSuffixStep& s) { text = replaced(text, s.suffix, " "); },
                   [&](const CtcStep& s) { text = ctc_text(text, s); },
                   [&](const JoinStep&) { text.insert(0, " "); },
               },
               step);
  return text;
}

}  // namespace motley::tok

std::string motley::clean_up_spaces(std::string text) {
  constexpr std::pair<const char*, const char*> kRules[] = {{" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
                                                            {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (auto [from, to] : kRules) text = tok::replaced(text, from, to);
  return text;
}
