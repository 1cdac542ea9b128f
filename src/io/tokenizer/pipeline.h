// The parts of a tokenizer in the order in which text goes through them. Loaders fill one; Tokenizer runs it. Constant after finish().
//
//   auto p = std::make_unique<Pipeline>();
//   p->vocabulary = ...; p->model = ...; p->decoder.add(...);
//   p->finish({added tokens});
//   return std::make_shared<Tokenizer>(std::move(p));
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/tokenizer/added_tokens.h"
#include "io/tokenizer/decoder.h"
#include "io/tokenizer/model.h"
#include "io/tokenizer/normalizer.h"
#include "io/tokenizer/post_processor.h"
#include "io/tokenizer/pre_tokenizer.h"
#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/vocabulary.h"
#include "io/tokenizer/word_cache.h"

namespace motley::tok {

class BpeModel;

// What a GGUF file has to say about this tokenizer, as far as it is not in the other parts (ggml_vocabulary.h says what each means).
struct GgmlFacts {
  std::string model;  // "gpt2", "llama", "t5", "bert"; empty where GGUF has no word for it
  std::string pre;    // of "gpt2": the name of the splitting patterns; empty where they have none
  bool add_space_prefix = false, remove_extra_whitespaces = false;
  std::string charsmap;
  std::string space_prefix;
  bool nfc = false;
  std::optional<bool> lowercase;
  std::string obstacle;  // what this tokenizer does that no GGUF file can say; empty: nothing
};

struct Pipeline {
  Vocabulary vocabulary;
  std::vector<std::unique_ptr<Normalizer>> normalizers;
  AddedTokens added;
  std::vector<std::unique_ptr<PreTokenizer>> pre_tokenizers;
  std::unique_ptr<Model> model;
  const BpeModel* bpe = nullptr;  // model, when it is that
  PostProcessor post;
  Decoder decoder;

  SpecialIds special;
  std::vector<int32_t> end_of_generation;  // sorted
  std::vector<std::pair<std::string, std::string>> chat_templates;
  std::vector<std::string> warnings;
  GgmlFacts ggml;

  // Ends loading: the tables that follow from the parts. Needs vocabulary, normalizers, model, special.
  void finish(std::vector<AddedToken> added_tokens);
  void add_end_of_generation(int32_t id);
  bool is_special(int32_t id) const { return vocabulary.contains(id) && special_flags_[static_cast<size_t>(id)]; }

  std::vector<int32_t> encode(std::string_view text, bool parse_special) const;

 private:
  // Memory that encoding needs again and again, with the cache of words. One is taken for each call under way.
  struct Scratch {
    WordCache cache;
    Regex::Scratch regex;
  };
  struct Encoding;
  std::unique_ptr<Scratch> take_scratch() const;
  void give_back(std::unique_ptr<Scratch> scratch) const;

  std::vector<bool> special_flags_;
  mutable std::mutex scratch_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> free_scratch_;
};

}  // namespace motley::tok
