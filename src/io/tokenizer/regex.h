// Regular expressions as tokenizer files write them: Oniguruma's syntax, on valid UTF-8, run by PCRE2's compiler to machine code.
//
// The pattern comes from a file nobody vouches for. It is translated (oniguruma.h), compiled within limits, and each search is bounded
// in steps; a search that needs more is an Error, never a hang.
//
//   Regex words("\\p{L}+|\\p{N}{1,3}", "tokenizer.json: pre_tokenizer.pattern");
//   Regex::Scratch scratch;
//   words.for_each(text, scratch, [&](size_t begin, size_t end) { ... });
//
// A Regex is constant and may be used by many threads, each with its own Scratch.
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

struct pcre2_real_code_8;

namespace motley::tok {

class Regex {
 public:
  // What a search needs besides the pattern: stack, result and the time it may take. Made once, used again and again.
  class Scratch {
   public:
    Scratch();
    ~Scratch();
    Scratch(Scratch&&) noexcept;
    Scratch& operator=(Scratch&&) noexcept;
    // Starts the clock of one text: all searches in it together get processor time in proportion to its length.
    void begin_text(size_t size_bytes);

   private:
    friend class Regex;
    struct Memory;
    std::unique_ptr<Memory> memory_;
    double deadline_s_ = 0;  // of this thread's processor time; 0: none
    unsigned searches_ = 0;
  };

  // what: where the pattern was read, for the message.
  Regex(std::string_view pattern, std::string what);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  const std::string& pattern() const { return pattern_; }

  // The first match at or after byte from. mark, when given, receives the name of the (*MARK:name) passed last, if any.
  std::optional<std::pair<size_t, size_t>> search(std::string_view text, size_t from, Scratch& scratch, std::string_view* mark = nullptr) const;

  // All matches from left to right; an empty match is not reported where the match before it ended.
  template <class F>
  void for_each(std::string_view text, Scratch& scratch, F&& f) const {
    size_t from = 0, last_end = std::string_view::npos;
    while (from <= text.size()) {
      auto match = search(text, from, scratch);
      if (!match) return;
      auto [begin, end] = *match;
      if (begin == end && begin == last_end) {
        from = next_character(text, end);
        continue;
      }
      f(begin, end);
      last_end = end;
      from = begin == end ? next_character(text, end) : end;
    }
  }

 private:
  static size_t next_character(std::string_view text, size_t i);
  std::string pattern_, what_;
  std::unique_ptr<pcre2_real_code_8, void (*)(pcre2_real_code_8*)> code_;
  bool compiled_to_machine_code_ = false;
};

}  // namespace motley::tok
