// A byte-level BPE vocabulary learned from text (Sennrich et al. 2016, "Neural machine translation of rare words with subword units"; on bytes
// as in GPT-2). Words are cut by GPT-2's pattern and counted; then the most frequent pair of neighbours becomes a token, again and again. Of
// pairs equally frequent the one with the smaller ids is taken first, so the same text gives the same vocabulary, which is also the one that
// the `tokenizers` package learns from it.
//
//   WordCounts words;
//   words.add(text);                                        // as often as there are texts
//   auto tokenizer = train_bpe(words, {.vocabulary = 4096});
//   hf_tokenizer_files(*tokenizer).tokenizer_json            // write_vocabulary.h
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/tokenizer/pre_tokenizer.h"
#include "io/tokenizer/tokenizer.h"

namespace motley {

class WordCounts {
 public:
  WordCounts();
  void add(std::string_view text);
  const std::unordered_map<std::string, int64_t>& counts() const { return counts_; }
  int64_t bytes() const { return bytes_; }  // of all texts

 private:
  std::unique_ptr<tok::PreTokenizer> cut_;
  tok::Regex::Scratch scratch_;
  std::unordered_map<std::string, int64_t> counts_;
  std::string key_;
  int64_t bytes_ = 0;
};

struct BpeTraining {
  int64_t vocabulary = 4096;                             // tokens in all: special ones, 256 bytes, and what is learned
  std::vector<std::string> special = {"<|endoftext|>"};  // the first of them ends texts
  bool begin_of_text = false;                            // the first special token also stands before each text
  int64_t least_count = 2;                               // pairs that occur less often become no token
};

// Smaller than asked for when no pair is left that occurs often enough. Error(usage) when the vocabulary has no room for the bytes, or a special
// token is empty or given twice.
std::shared_ptr<const Tokenizer> train_bpe(const WordCounts& words, const BpeTraining& options);

}  // namespace motley
