// What the generations of Gemma share.
#pragma once
#include "ir/graph.h"
#include "nn/config.h"
#include "nn/config_sink.h"
#include "nn/config_source.h"

namespace motley {

class Builder;

Value gemma_embed(Builder& b, const ModelConfig& c);  // times sqrt(E)
void gemma_read_hf(const ConfigSource& source, ModelConfig& c);

// A block with a norm before and one after each part (Gemma 2 and 3).
class Rotary;
Value gemma_sandwich_block(Builder& b, const ModelConfig& c, const Rotary& rotary, int64_t layer, Value h, bool head_norms);

// The scores' scale. GGUF has no key for it that other readers write: they know that the largest model of each generation divides by
// sqrt(E / H) and the others by sqrt(head_dim).
double gemma_usual_scale(const ModelConfig& c, int64_t layers_of_largest);
double gemma_gguf_scale(const ConfigSource& source, const ModelConfig& c, int64_t layers_of_largest);

void gemma_write_scores(const ModelConfig& c, ConfigSink& sink);
void gemma_write_gguf_scores(const ModelConfig& c, int64_t layers_of_largest, ConfigSink& sink);

}  // namespace motley
