// Gemma 1 (Gemma Team 2024): the embedding is scaled by sqrt(E), norms multiply by 1 + w, the gate is a tanh GELU, the head is tied.
#include "nn/gemma.h"

#include <cmath>

#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = gemma_embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("model.layers", layer));
    h = b.add(h, attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm")));
    h = b.add(h, gated_feed_forward(b, c, rms_norm(b, c, h, "post_attention_layernorm")));
  }
  logits(b, c, rms_norm(b, c, b.wanted_rows(h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  gemma_read_hf(source, c);
  // The first release wrote "gelu" and meant its approximation; transformers reads it so.
  c.activation = source.activation("hidden_activation", c.activation);
  if (c.activation == Activation::gelu) c.activation = Activation::gelu_tanh;
}

void read_gguf(const ConfigSource& source, ModelConfig& c) { c.windows = gguf_windows(source, c, 0); }

constexpr std::string_view kTypes[] = {"gemma"};
constexpr NamePair kNames[] = {{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"}};

}  // namespace

Value gemma_embed(Builder& b, const ModelConfig& c) { return b.mul(embed(b, c), b.scalar(std::sqrt(static_cast<float>(c.hidden)))); }

void gemma_read_hf(const ConfigSource& source, ModelConfig& c) {
  c.norm_offset = 1;
  if (source.find_bool("use_bidirectional_attention").value_or(false))
    source.refuse("use_bidirectional_attention", "true", "false: text models attend to the past only");
}

Value gemma_sandwich_block(Builder& b, const ModelConfig& c, const Rotary& rotary, int64_t layer, Value h, bool head_norms) {
  auto block = b.block(static_cast<int>(layer), block_name("model.layers", layer));
  Value y = attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm"), {.head_norms = head_norms});
  h = b.add(h, rms_norm(b, c, y, "post_attention_layernorm"));
  y = gated_feed_forward(b, c, rms_norm(b, c, h, "pre_feedforward_layernorm"));
  return b.add(h, rms_norm(b, c, y, "post_feedforward_layernorm"));
}

double gemma_gguf_scale(const ConfigSource& source, const ModelConfig& c, int64_t layers_of_largest) {
  double divisor = c.layers == layers_of_largest ? static_cast<double>(c.hidden) / static_cast<double>(c.heads) : static_cast<double>(c.head_dim);
  return source.number("attention.scale", {1e-9, 1e3}, 1 / std::sqrt(divisor));
}

const Family kGemma = {.name = "gemma",
                       .model_types = kTypes,
                       .architecture = "GemmaForCausalLM",
                       .gguf = "gemma",
                       .weights_prefix = "model.",
                       .build = build,
                       .read_hf = read_hf,
                       .read_gguf = read_gguf,
                       .names = kNames,
                       .aliases = {},
                       .difference = FormatDifference::norm_plus_one,
                       .defaults = {.activation = Activation::gelu_tanh, .tied = true, .head_dim = 256, .max_positions = 8192}};

}  // namespace motley
