// Gemma 3 (Gemma Team 2025), the text model: Gemma 2's blocks with norms on the heads of q and k instead of soft caps; five layers with a
// window and a small rotary base to every one that sees everything with a large base.
#include <cmath>

#include "nn/families_list.h"
#include "nn/gemma.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr int64_t kLayersOfLargest = 62;

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = gemma_embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) h = gemma_sandwich_block(b, c, rotary, layer, h, true);
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

RopeConfig local_rope(double theta, const ModelConfig& c) {
  RopeConfig rope;
  rope.theta = theta;
  rope.dims = c.rope.dims;
  rope.max_positions = c.max_positions;
  return rope;
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  gemma_read_hf(source, c);
  c.attention_scale = 1 / std::sqrt(source.number("query_pre_attn_scalar", {1e-6, 1e9}, 256));
  c.attention_softcap = static_cast<float>(source.number("attn_logit_softcapping", {1e-6, 1e9}, 0));
  c.logit_softcap = static_cast<float>(source.number("final_logit_softcapping", {1e-6, 1e9}, 0));
  if (!c.window_rope) c.window_rope = local_rope(source.number("rope_local_base_freq", {1.0001, 1e15}, 10000), c);
  int64_t pattern = source.integer("sliding_window_pattern", {1, kMaxLayers}, 6);
  int64_t window = source.is_null("sliding_window") ? 0 : source.integer("sliding_window", {1, kMaxPositions}, 4096);
  c.windows = hf_windows(source, c, window, [pattern](int64_t layer) { return (layer + 1) % pattern != 0; });
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  gemma_write_scores(c, sink);
  sink.set("rope_local_base_freq", c.window_rope->theta);
}

void write_gguf(const ModelConfig& c, ConfigSink& sink) {
  gemma_write_gguf_scores(c, kLayersOfLargest, sink);
  sink.set("rope.freq_base_swa", c.window_rope->theta);
}

void read_gguf(const ConfigSource& source, ModelConfig& c) {
  c.attention_scale = gemma_gguf_scale(source, c, kLayersOfLargest);
  c.attention_softcap = static_cast<float>(source.number("attn_logit_softcapping", {0, 1e9}, 0));
  c.logit_softcap = static_cast<float>(source.number("final_logit_softcapping", {0, 1e9}, 0));
  c.window_rope = local_rope(source.number("rope.freq_base_swa", {1.0001, 1e15}, 10000), c);
}

constexpr std::string_view kTypes[] = {"gemma3_text", "gemma3"};
constexpr NamePair kNames[] = {{"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
                               {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
                               {"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"},
                               {"model.layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"},
                               {"model.layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm"}};
constexpr NamePair kAliases[] = {{"hidden_act", "hidden_activation"}};

}  // namespace

const Family kGemma3 = {.name = "gemma3",
                        .model_types = kTypes,
                        .architecture = "Gemma3ForCausalLM",
                        .gguf = "gemma3",
                        .weights_prefix = "model.",
                        .build = build,
                        .read_hf = read_hf,
                        .write_hf = write_hf,
                        .read_gguf = read_gguf,
                        .write_gguf = write_gguf,
                        .names = kNames,
                        .aliases = kAliases,
                        .difference = FormatDifference::norm_plus_one,
                        .full_every = 6,
                        // The text_config of the larger models leaves out what transformers assumes.
                        .defaults = {.theta = 1e6,
                                     .activation = Activation::gelu_tanh,
                                     .tied = true,
                                     .heads = 8,
                                     .kv_heads = 4,
                                     .head_dim = 256,
                                     .vocab = 262208,
                                     .max_positions = 131072}};

}  // namespace motley
