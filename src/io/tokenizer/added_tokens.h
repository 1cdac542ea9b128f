// Added tokens: texts that are found in the input before anything else happens to it, such as "<|im_end|>". The longest that begins
// at the leftmost place is taken. They come in two kinds, looked for before and after normalisation.
//
//   AddedTokens added(tokens, normalize);
//   added.split(text, AddedTokens::raw, parse_special, [&](std::string_view part, int32_t id) { ... });   // id -1: ordinary text
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer/trie.h"

namespace motley::tok {

struct AddedToken {
  int32_t id = -1;
  std::string content;
  bool single_word = false;             // only where no word character touches it
  bool lstrip = false, rstrip = false;  // white space before, after it goes with it
  bool normalized = false;              // looked for in normalised text
  bool special = false;                 // a control token: text from users is not searched for these
};

class AddedTokens {
 public:
  enum Stage { raw, normalized };
  AddedTokens() = default;
  // normalize: what the normaliser makes of a content.
  AddedTokens(std::vector<AddedToken> tokens, const std::function<std::string(const std::string&)>& normalize);

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  bool empty(Stage stage) const { return stages_[stage].trie.empty(); }

  // Calls part(text, -1) and part(text, id) from left to right; no ordinary part is empty.
  void split(std::string_view text, Stage stage, bool parse_special, const std::function<void(std::string_view, int32_t)>& part) const;

 private:
  struct Search {
    std::vector<std::string> contents;
    ByteTrie trie;  // to places in tokens_
  };
  std::vector<AddedToken> tokens_;
  Search stages_[2];
};

}  // namespace motley::tok
