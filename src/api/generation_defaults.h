// How a model answers as its own files say: what ends an answer, how tokens are chosen, and of a model with an encoder what an answer begins with.
// generation_config.json counts before config.json.
//
//   Request r = request_for(model, tokenizer.encode(text));
//   r.sampling = default_sampling(*model.checkpoint, model.source.config);
#pragma once
#include <cstdint>
#include <vector>

#include "api/open_model.h"
#include "generate/scheduler.h"

namespace motley {

// The ids that end an answer: the tokenizer's, the model's configuration's and generation_config.json's.
std::vector<int32_t> stop_tokens(const OpenModel& model);

// What generation_config.json asks for where it says something, the program's defaults otherwise. A model with an encoder takes the likeliest token
// unless it says otherwise.
SamplerOptions default_sampling(const Checkpoint& checkpoint, const ModelConfig& config);
BeamOptions default_beams(const Checkpoint& checkpoint, const ModelConfig& config);

// The model continues the text, or reads it with its encoder and answers. Sampling, length and what ends the answer are the caller's.
Request request_for(const OpenModel& model, std::vector<int32_t> text);

}  // namespace motley
