// The readers of tokenizer files, one for each format; each fills a Pipeline from text or bytes that nobody vouches for. name stands
// for the file in messages.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "io/tokenizer/pipeline.h"

namespace motley {
class GgufFile;
}

namespace motley::tok {

// What tokenizer_config.json, special_tokens_map.json, added_tokens.json and generation_config.json beside a tokenizer say.
struct Companions {
  std::string tokenizer_class;
  std::optional<bool> add_bos, add_eos, add_prefix_space, lowercase;
  std::vector<AddedToken> added;                           // id -1 where only the content is known
  std::vector<std::pair<std::string, std::string>> roles;  // "bos_token" -> "<s>"
  std::vector<int64_t> end_of_generation;
  std::vector<std::pair<std::string, std::string>> chat_templates;
};

std::unique_ptr<Pipeline> read_tokenizer_json(std::string_view text, const std::string& name, const Companions& companions);
std::unique_ptr<Pipeline> read_sentencepiece(std::string_view bytes, const std::string& name, const Companions& companions);
// Marian's: pieces are found as one of two SentencePiece models says, that of the texts to translate or that of translations, and have the ids of a
// vocab.json for both.
std::unique_ptr<Pipeline> read_marian(std::string_view pieces, const std::string& pieces_name, std::string_view vocab, const std::string& vocab_name,
                                      const Companions& companions);
std::unique_ptr<Pipeline> read_vocab_and_merges(std::string_view vocab, std::string_view merges, const std::string& name,
                                                const Companions& companions);
std::unique_ptr<Pipeline> read_vocab_txt(std::string_view text, const std::string& name, const Companions& companions);
std::unique_ptr<Pipeline> read_tiktoken(std::string_view text, const std::string& name, const Companions& companions);
std::unique_ptr<Pipeline> read_llama2c(std::string_view bytes, const std::string& name);
std::unique_ptr<Pipeline> read_gguf(const GgufFile& file);

// Sets roles, ends of generation and templates from the companions; the vocabulary must be there.
void apply_companions(const Companions& companions, Pipeline& pipeline);
// The companions' added tokens that the list does not have yet. Unknown contents get ids from next_id on.
void merge_added_tokens(const Companions& companions, VocabularyBuilder& vocabulary, std::vector<AddedToken>& added, const std::string& name);

}  // namespace motley::tok
