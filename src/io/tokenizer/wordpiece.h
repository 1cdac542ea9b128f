// WordPiece (BERT): the longest token that begins the word, then the longest continuation ("##ing") again and again; a word that
// cannot be covered is one unknown token. WordLevel: a word is a token or unknown.
//
//   WordPieceModel model(vocabulary, {.unk_id = 100});
//   model.encode("tokenizing", ids);    // token, ##izing
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/tokenizer/model.h"
#include "io/tokenizer/trie.h"
#include "io/tokenizer/vocabulary.h"

namespace motley::tok {

struct WordPieceOptions {
  int32_t unk_id = -1;
  std::string continuing_prefix = "##";
  size_t max_characters = 100;  // a longer word is unknown
};

class WordPieceModel : public Model {
 public:
  WordPieceModel(const Vocabulary& vocabulary, WordPieceOptions options);
  void encode(std::string_view word, std::vector<int32_t>& ids) const override;

 private:
  WordPieceOptions options_;
  ByteTrie beginnings_, continuations_;
};

class WordLevelModel : public Model {
 public:
  WordLevelModel(const Vocabulary& vocabulary, int32_t unk_id) : vocabulary_(vocabulary), unk_id_(unk_id) {}
  void encode(std::string_view word, std::vector<int32_t>& ids) const override;

 private:
  const Vocabulary& vocabulary_;
  int32_t unk_id_;
};

}  // namespace motley::tok
