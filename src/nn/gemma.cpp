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
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  gemma_read_hf(source, c);
  // The first release wrote "gelu" and meant its approximation; transformers reads it so.
  c.activation = source.activation("hidden_activation", c.activation);
  if (c.activation == Activation::gelu) c.activation = Activation::gelu_tanh;
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("attention_bias", c.qkv_bias);
  sink.set("hidden_activation", "gelu_pytorch_tanh");
}

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

double gemma_usual_scale(const ModelConfig& c, int64_t layers_of_largest) {
  double divisor = c.layers == layers_of_largest ? static_cast<double>(c.hidden) / static_cast<double>(c.heads) : static_cast<double>(c.head_dim);
  return 1 / std::sqrt(divisor);
}

double gemma_gguf_scale(const ConfigSource& source, const ModelConfig& c, int64_t layers_of_largest) {
  return source.number("attention.scale", {1e-9, 1e3}, gemma_usual_scale(c, layers_of_largest));
}

void gemma_write_scores(const ModelConfig& c, ConfigSink& sink) {
  auto cap = [](float value) { return value > 0 ? ConfigValue(static_cast<double>(value)) : ConfigValue(nullptr); };
  sink.set("attention_bias", c.qkv_bias);
  sink.set("query_pre_attn_scalar", 1 / (c.attention_scale * c.attention_scale));
  sink.set("attn_logit_softcapping", cap(c.attention_softcap));
  sink.set("final_logit_softcapping", cap(c.logit_softcap));
  hf_write_windows(c, true, sink);
}

void gemma_write_gguf_scores(const ModelConfig& c, int64_t layers_of_largest, ConfigSink& sink) {
  const double usual = gemma_usual_scale(c, layers_of_largest);
  if (std::abs(c.attention_scale / usual - 1) > 1e-6) sink.set("attention.scale", c.attention_scale);
  sink.set("attn_logit_softcapping", static_cast<double>(c.attention_softcap));
  sink.set("final_logit_softcapping", static_cast<double>(c.logit_softcap));
}

const Family kGemma = {.name = "gemma",
                       .model_types = kTypes,
                       .architecture = "GemmaForCausalLM",
                       .gguf = "gemma",
                       .weights_prefix = "model.",
                       .build = build,
                       .read_hf = read_hf,
                       .write_hf = write_hf,
                       .names = kNames,
                       .aliases = {},
                       .difference = FormatDifference::norm_plus_one,
                       .defaults = {.activation = Activation::gelu_tanh, .tied = true, .head_dim = 256, .max_positions = 8192}};

}  // namespace motley
