// Tokenizers on their way out: into the metadata of a GGUF file, and into the small JSON files of a Hugging Face folder.
//
//   GgmlVocabulary v = ggml_vocabulary(*tokenizer);
//   fit_vocabulary(v, config.vocab);                     // as many words as the embedding has rows
//   write_vocabulary(v, gguf_writer);
//
//   TokenizerFiles files = hf_tokenizer_files(*tokenizer);
//   AtomicFile("out/tokenizer.json").write(files.tokenizer_json); ...
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/tokenizer/ggml_vocabulary.h"

namespace motley {

class GgufWriter;

// Readers of GGUF take the number of words for the number of rows, and models pad their embeddings: unused words fill up what is missing.
// Words beyond the last row, which the model cannot see, are dropped; gives their number.
int64_t fit_vocabulary(GgmlVocabulary& vocabulary, int64_t rows);

void write_vocabulary(const GgmlVocabulary& vocabulary, GgufWriter& writer);

struct TokenizerFiles {
  std::string tokenizer_json, tokenizer_config_json;
  std::vector<std::string> warnings;  // what they say a little differently, a sentence each
};

// For byte-level BPE and SentencePiece vocabularies. Error(usage) for others, which no supported model has without its own tokenizer.json.
TokenizerFiles hf_tokenizer_files(const Tokenizer& tokenizer);

}  // namespace motley
