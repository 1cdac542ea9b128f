// The unigram language model (Kudo 2018): of all ways to cut a word into tokens, the one whose scores (log probabilities) have the
// largest sum, found by Viterbi's algorithm over the word's bytes.
//
//   UnigramModel model(vocabulary, {.unk_id = 0});
//   model.encode("▁hello", ids);
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "io/tokenizer/model.h"
#include "io/tokenizer/trie.h"
#include "io/tokenizer/vocabulary.h"

namespace motley::tok {

struct UnigramOptions {
  int32_t unk_id = -1;         // Error(file) on text that needs it where there is none
  bool byte_fallback = false;  // unknown text becomes the tokens of its bytes
  bool unused_known = false;   // unknown text that is an unused token is that token
};

class UnigramModel : public Model {
 public:
  UnigramModel(const Vocabulary& vocabulary, UnigramOptions options);
  void encode(std::string_view word, std::vector<int32_t>& ids) const override;
  bool independent_at_metaspace() const override { return independent_at_metaspace_; }

 private:
  void append_unknown(std::string_view text, std::vector<int32_t>& ids) const;

  const Vocabulary& vocabulary_;
  UnigramOptions options_;
  ByteTrie trie_;
  double unk_score_ = 0;
  std::array<int32_t, 256> byte_ids_;
  bool independent_at_metaspace_ = false;
};

}  // namespace motley::tok
