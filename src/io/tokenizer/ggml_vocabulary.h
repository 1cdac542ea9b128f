// A tokenizer as GGUF files describe it: the values of the tokenizer.* keys. Reading a GGUF file fills one, writing a GGUF file asks a
// tokenizer for one.
//
//   GgmlVocabulary v = ggml_vocabulary(*Tokenizer::load("models/qwen2.5-0.5b"));
//   writer.set("tokenizer.ggml.model", v.model); writer.set("tokenizer.ggml.tokens", v.tokens); ...
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/tokenizer/tokenizer.h"

namespace motley {

struct GgmlVocabulary {
  std::string model;                 // tokenizer.ggml.model: "gpt2", "llama", "bert" or "t5"
  std::string pre;                   // .pre
  std::vector<std::string> tokens;   // .tokens
  std::vector<float> scores;         // .scores, of "llama" and "t5"
  std::vector<int32_t> types;        // .token_type, the numbers of TokenType
  std::vector<std::string> merges;   // .merges, of "gpt2": "a b"; of "llama" motley.tokenizer.merges, where the scores cannot say the same
  SpecialIds special;                // .bos_token_id, .eos_token_id, .unknown_token_id, .padding_token_id, .seperator_token_id (so spelled), ...
  std::vector<int32_t> end_of_turn;  // .eot_token_id, .eom_token_id: ends of generation other than EOS
  std::optional<bool> add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;  // .add_bos_token, .add_eos_token, the rest as named
  std::string charsmap;                                                              // .precompiled_charsmap, bytes
  std::optional<bool> lowercase;                                                     // .normalizer.lowercase, of "bert"
  // What other readers of GGUF have no keys for and pass over, motley.tokenizer.*:
  std::optional<bool> nfc;            // .nfc: "gpt2" composes characters first; without the key "qwen2" does
  std::optional<bool> ignore_merges;  // .ignore_merges: "gpt2" takes a word that is a token whole; without the key some .pre do
  // .space_prefix: what add_space_prefix means. Empty: a space before whatever follows an added token, and before the text. "first", "always":
  // only before the text, or there and after added tokens, and only where there is no space yet. "sentencepiece": user-defined tokens are
  // looked for behind that space, in the normalised text, and nothing is put after them.
  std::string space_prefix;
  std::vector<int32_t> lstrip, rstrip, single_word;  // added tokens that take the white space before, after them along; that no letter may touch
  std::vector<int32_t> before, after;                // what stands around a text, where that is not just BOS and EOS
  std::vector<std::pair<std::string, std::string>> chat_templates;  // tokenizer.chat_template is "default", tokenizer.chat_template.NAME others
  std::string family;                 // general.architecture and general.name: some families' control tokens swallow white space
  std::vector<std::string> warnings;  // of ggml_vocabulary(): what a GGUF file says a little differently, a sentence each
};

// Error(file) where GGUF has no way to say what this tokenizer does.
GgmlVocabulary ggml_vocabulary(const Tokenizer& tokenizer);

// name stands for the file in messages.
std::unique_ptr<tok::Pipeline> make_ggml_pipeline(GgmlVocabulary vocabulary, const std::string& name);

}  // namespace motley
