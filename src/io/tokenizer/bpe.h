// Byte-pair encoding: a word starts as its characters (or bytes), then the adjacent pair with the lowest rank is joined until none is
// left; of equal ranks the leftmost. Three kinds of files end here, which differ in how the pairs are given:
//
//   merges_from_list()     tokenizer.json, merges.txt, GGUF "gpt2": pairs in order of rank
//   merges_from_ranks()    tiktoken: any two tokens whose concatenation is a token, ranked by that token
//   merges_from_scores()   SentencePiece: the same, ranked by falling score
//
//   BpeModel model(vocabulary, merges_from_list(...), {.raw_bytes = true});
//   model.encode(" hello", ids);
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/tokenizer/model.h"
#include "io/tokenizer/vocabulary.h"

namespace motley::tok {

struct BpeOptions {
  bool raw_bytes = false;                     // words are bytes, the vocabulary writes them in the byte alphabet
  bool byte_fallback = false;                 // a character without token becomes its bytes' tokens "<0x41>"
  bool fuse_unk = false;                      // several unknown characters in a row become one unknown token
  bool ignore_merges = false;                 // a word that is a token is taken whole, whatever the pairs say
  int32_t unk_id = -1;                        // without one an unknown character vanishes
  std::string continuing_prefix, end_suffix;  // written before all but a word's first character, after its last
};

struct Merge {
  int32_t left, right, result;
  uint32_t rank;
};

struct Merges {
  std::vector<Merge> list;
  // Single characters that are no token but part of some: they have ids from the vocabulary's size on while a word is being joined.
  std::vector<std::string> extra_characters;
};

// Pairs of token texts in order of rank. Error(file) naming the first pair whose parts or whole are not in the vocabulary; with
// skip_unknown such a pair is left out.
Merges merges_from_list(const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& pairs,
                        std::string_view continuing_prefix, std::string_view what, bool skip_unknown = false);
Merges merges_from_ranks(const Vocabulary& vocabulary);
Merges merges_from_scores(const Vocabulary& vocabulary);

// (left, right) -> (rank, result), open addressing.
class MergeTable {
 public:
  struct Hit {
    uint32_t rank = kNoRank;
    int32_t result = -1;
  };
  static constexpr uint32_t kNoRank = UINT32_MAX;
  explicit MergeTable(const std::vector<Merge>& merges);
  Hit find(int32_t left, int32_t right) const;
  std::vector<Merge> sorted() const;  // by rank, then left, then right

 private:
  struct Slot {
    uint64_t pair;
    Hit hit;
  };
  std::vector<Slot> slots_;
  size_t mask_;
};

class BpeModel : public Model {
 public:
  BpeModel(const Vocabulary& vocabulary, Merges merges, BpeOptions options);
  void encode(std::string_view word, std::vector<int32_t>& ids) const override;
  bool independent_at_metaspace() const override { return independent_at_metaspace_; }
  size_t num_extra_characters() const { return extra_characters_.size(); }
  bool ignores_merges() const { return options_.ignore_merges; }
  // All pairs in order of rank, those with characters that are no token left out.
  std::vector<Merge> merges() const;

 private:
  // Appends the symbols the word starts with to out.
  void first_symbols(std::string_view word, std::vector<int32_t>& out) const;
  size_t join_short(int32_t* symbols, size_t count, size_t stop_at = 1) const;  // these give the new count
  size_t join_long(int32_t* symbols, size_t count) const;
  void emit(const int32_t* symbols, size_t count, std::vector<int32_t>& ids) const;
  void emit_one(int32_t symbol, bool& after_unk, int depth, std::vector<int32_t>& ids) const;
  bool append_bytes(std::string_view text, std::vector<int32_t>& ids) const;
  int32_t character(std::string_view c, bool first, bool last) const;
  void find_unused_parts();
  bool no_merge_enters_metaspace(const std::vector<Merge>& merges) const;

  const Vocabulary& vocabulary_;
  BpeOptions options_;
  MergeTable table_;
  std::vector<std::string> extra_characters_;
  std::unordered_map<std::string, int32_t> extra_ids_;
  // Of each byte (ASCII character, when words are characters): plain, with the prefix, with the suffix, with both.
  std::array<std::array<int32_t, 256>, 4> byte_ids_;
  std::array<int32_t, 256> fallback_ids_;  // of "<0x00>" to "<0xFF>"
  // Of tokens marked unused, which are joined but not given out: the two they were joined from.
  std::unordered_map<int32_t, std::pair<int32_t, int32_t>> unused_parts_;
  bool independent_at_metaspace_ = false;
};

}  // namespace motley::tok
