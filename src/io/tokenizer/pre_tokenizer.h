// Pre-tokenizers: cut a normalised text into the words that the model takes one by one. The names and behaviours are those of
// tokenizer.json's "pre_tokenizer". A step either only cuts, or also rewrites the text (a space becomes U+2581).
//
//   Words words(text);
//   for (auto& step : steps) step->apply(words, regex_scratch);
//   for (auto [begin, end] : words.pieces) model.encode(words.text.substr(begin, end - begin), ids);
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer/regex.h"

namespace motley::tok {

struct Words {
  struct Piece {
    uint32_t begin, end;  // bytes of text; never empty
  };
  // max_bytes: what the text may grow to; a step that makes it longer is an Error.
  explicit Words(std::string_view whole, bool is_at_start = true, size_t max_bytes = UINT32_MAX / 2);
  Words(const Words&) = delete;  // text may be a view of rewritten
  Words& operator=(const Words&) = delete;

  std::string_view text;
  std::vector<Piece> pieces;
  bool at_start;  // byte 0 of text comes from the first character of the whole input

  // The text is now another one, cut like this.
  void rewrite(std::string new_text, std::vector<Piece> new_pieces);

 private:
  std::string rewritten_;
  size_t max_bytes_;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Words& words, Regex::Scratch& scratch) const = 0;
};

// What becomes of the separators that a Split finds.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

std::unique_ptr<PreTokenizer> make_split(Regex pattern, SplitBehavior behavior, bool invert);
std::unique_ptr<PreTokenizer> make_split(std::string separator, SplitBehavior behavior, bool invert);
std::unique_ptr<PreTokenizer> make_split(std::function<bool(char32_t)> is_separator, SplitBehavior behavior);
std::unique_ptr<PreTokenizer> make_fixed_length(size_t characters);
std::unique_ptr<PreTokenizer> make_unicode_scripts();
// Runs of word characters and runs of others, without white space.
std::unique_ptr<PreTokenizer> make_whitespace();
std::unique_ptr<PreTokenizer> make_metaspace(std::string replacement, bool prepend_always, bool prepend_first, bool split);
// GPT-2's: optionally its pattern, then bytes as characters; as_bytes leaves that rewriting out, for a model that takes bytes.
std::unique_ptr<PreTokenizer> make_byte_level(bool add_prefix_space, bool use_regex, bool as_bytes);
// Cuts before each run of U+2581 that follows another character: for models that no token ties across.
std::unique_ptr<PreTokenizer> make_cut_before_metaspace();

}  // namespace motley::tok
