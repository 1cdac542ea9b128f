// The parts of tokenizer.json other than the model: each reads one of its objects into the pipeline. where names the file and the
// field for messages: "tokenizer.json: normalizer".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "io/tokenizer/pipeline.h"

namespace motley::tok {

// The steps by type, with "SentencePiece " before those by which tokenizer.json says what SentencePiece does. What GGUF has fields for goes
// into pipeline.ggml.
using StepNames = std::vector<std::string>;

StepNames read_normalizer(const Json& json, const std::string& where, Pipeline& pipeline);

struct PreTokenizerFacts {
  StepNames steps;
  bool byte_level_last = false;     // its rewriting is left out: the model is to take bytes
  std::vector<std::string> splits;  // the expressions, when all steps are splits that isolate matches or byte level
  bool plain_splits = true;
};
// model_takes_bytes: a final ByteLevel may hand over bytes.
PreTokenizerFacts read_pre_tokenizer(const Json& json, const std::string& where, bool model_takes_bytes, Pipeline& pipeline);

void read_post_processor(const Json& json, const std::string& where, Pipeline& pipeline);
void read_decoder(const Json& json, const std::string& where, Pipeline& pipeline);

// The objects of a possibly nested Sequence in order; key is where a Sequence keeps them.
std::vector<const Json*> flatten(const Json& json, const char* key, const std::string& where);

}  // namespace motley::tok
