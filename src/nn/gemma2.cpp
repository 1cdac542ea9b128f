// Gemma 2 (Gemma Team 2024): norms before and after each part, soft caps on scores and logits, a window in every other layer.
#include <cmath>

#include "nn/families_list.h"
#include "nn/gemma.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr int64_t kLayersOfLargest = 46;

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = gemma_embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) h = gemma_sandwich_block(b, c, rotary, layer, h, false);
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  gemma_read_hf(source, c);
  c.attention_scale = 1 / std::sqrt(source.number("query_pre_attn_scalar", {1e-6, 1e9}, 256));
  auto cap = [&](const char* key, double otherwise) {
    return static_cast<float>(source.is_null(key) ? 0 : source.number(key, {1e-6, 1e9}, otherwise));
  };
  c.attention_softcap = cap("attn_logit_softcapping", 50);
  c.logit_softcap = cap("final_logit_softcapping", 30);
  int64_t window = source.is_null("sliding_window") ? 0 : source.integer("sliding_window", {1, kMaxPositions}, 4096);
  c.windows = hf_windows(source, c, window, [](int64_t layer) { return layer % 2 == 0; });
}

void write_hf(const ModelConfig& c, ConfigSink& sink) { gemma_write_scores(c, sink); }
void write_gguf(const ModelConfig& c, ConfigSink& sink) { gemma_write_gguf_scores(c, kLayersOfLargest, sink); }

void read_gguf(const ConfigSource& source, ModelConfig& c) {
  c.attention_scale = gemma_gguf_scale(source, c, kLayersOfLargest);
  c.attention_softcap = static_cast<float>(source.number("attn_logit_softcapping", {0, 1e9}, 50));
  c.logit_softcap = static_cast<float>(source.number("final_logit_softcapping", {0, 1e9}, 30));
}

constexpr std::string_view kTypes[] = {"gemma2"};
constexpr NamePair kNames[] = {{"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm"},
                               {"model.layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm"},
                               {"model.layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm"}};
constexpr NamePair kAliases[] = {{"hidden_act", "hidden_activation"}};

}  // namespace

const Family kGemma2 = {.name = "gemma2",
                        .model_types = kTypes,
                        .architecture = "Gemma2ForCausalLM",
                        .gguf = "gemma2",
                        .weights_prefix = "model.",
                        .build = build,
                        .read_hf = read_hf,
                        .write_hf = write_hf,
                        .read_gguf = read_gguf,
                        .write_gguf = write_gguf,
                        .names = kNames,
                        .aliases = kAliases,
                        .difference = FormatDifference::norm_plus_one,
                        .full_every = 2,
                        .defaults = {.activation = Activation::gelu_tanh, .tied = true, .head_dim = 256, .max_positions = 8192}};

}  // namespace motley
