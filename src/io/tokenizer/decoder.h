// Decoders: from token texts back to text. A decoder is a chain of steps as in tokenizer.json's "decoder"; each takes tokens one after
// another, so whole texts and streams are decoded by the same code.
//
//   Decoder decoder;
//   decoder.add(ReplaceStep{...}); decoder.add(ByteFallbackStep{}); decoder.add(FuseStep{});
//   std::string out;
//   auto run = decoder.start(out, /*eager=*/true);
//   run.put("▁hello");      // out grows by what is certain so far
//   run.finish();           // and by the rest
#pragma once
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "io/tokenizer/regex.h"

namespace motley::tok {

struct ByteLevelStep {};  // characters of the byte alphabet become bytes
// "<0x0A>" becomes its byte. A run of bytes that is not UTF-8 as a whole becomes U+FFFD for each byte; with keep_valid only what is
// malformed does.
struct ByteFallbackStep {
  bool keep_valid = false;
};
struct FuseStep {};  // all tokens become one
struct StripStep {   // removes up to that many copies of content at both ends of each token
  std::string content;
  size_t start = 0, stop = 0;
};
struct ReplaceStep {
  std::string from, to;
  std::shared_ptr<const Regex> regex;  // in place of from
};
struct MetaspaceStep {  // the replacement becomes a space; in the first token it vanishes where it was put by the tokenizer
  std::string replacement = "\xE2\x96\x81";
  bool strip_first = true;
};
struct WordPieceStep {
  std::string prefix = "##";
  bool cleanup = true;
};
struct BpeSuffixStep {  // "</w>" becomes a space, except in the last token
  std::string suffix = "</w>";
};
struct CtcStep {
  std::string pad_token, word_delimiter;
  bool cleanup = true;
};
struct JoinStep {};  // without a decoder tokens are joined by spaces

using DecoderStep =
    std::variant<ByteLevelStep, ByteFallbackStep, FuseStep, StripStep, ReplaceStep, MetaspaceStep, WordPieceStep, BpeSuffixStep, CtcStep, JoinStep>;

class Decoder {
 public:
  class Step;
  // One decoding under way.
  class Run {
   public:
    Run(Run&&) noexcept;
    Run& operator=(Run&&) noexcept;
    ~Run();
    void put(std::string_view token);
    void finish();

   private:
    friend class Decoder;
    Run();
    std::vector<std::unique_ptr<Step>> steps_;
  };

  void add(DecoderStep step) { steps_.push_back(std::move(step)); }
  const std::vector<DecoderStep>& steps() const { return steps_; }

  // Appends to out, which must outlive the run. eager: bytes that complete a character come out at once, even though a malformed byte
  // after them would change a ByteFallbackStep's mind about the whole run.
  Run start(std::string& out, bool eager) const;

  // The bytes a token stands for inside a text (not at its beginning, nor at its end).
  std::string piece(std::string_view token) const;

 private:
  std::vector<DecoderStep> steps_;
};

}  // namespace motley::tok
