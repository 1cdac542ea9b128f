// Llama 1 to 3 (Touvron et al. 2023; Grattafiori et al. 2024), SmolLM2, and Mistral (Jiang et al. 2023), which is Llama with a window.
#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("model.layers", layer));
    h = b.add(h, attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm")));
    h = b.add(h, gated_feed_forward(b, c, rms_norm(b, c, h, "post_attention_layernorm")));
  }
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_llama(const ConfigSource& source, ModelConfig& c) { c.ff_bias = source.flag("mlp_bias", false); }

void write_llama(const ModelConfig& c, ConfigSink& sink) {
  sink.set("attention_bias", c.qkv_bias);
  sink.set("mlp_bias", c.ff_bias);
}

void read_mistral(const ConfigSource& source, ModelConfig& c) {
  // Version 0.1 names its window, later ones write null: transformers takes a missing key for 4096.
  int64_t window = source.is_null("sliding_window") ? 0 : source.integer("sliding_window", {1, kMaxPositions}, 4096);
  c.windows = hf_windows(source, c, window, [](int64_t) { return true; });
}

void write_mistral(const ModelConfig& c, ConfigSink& sink) { hf_write_windows(c, has_mixed_windows(c), sink); }

// Both are "llama" there.
void read_gguf(const ConfigSource&, ModelConfig& c) {
  if (has_windows(c)) c.family = kMistral.name;
}

constexpr std::string_view kLlamaTypes[] = {"llama"}, kMistralTypes[] = {"mistral"};
constexpr NamePair kNames[] = {{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"}};

}  // namespace

const Family kLlama = {.name = "llama",
                       .model_types = kLlamaTypes,
                       .architecture = "LlamaForCausalLM",
                       .gguf = "llama",
                       .weights_prefix = "model.",
                       .build = build,
                       .read_hf = read_llama,
                       .write_hf = write_llama,
                       .read_gguf = read_gguf,
                       .names = kNames,
                       .aliases = {},
                       .difference = FormatDifference::rotary_rows,
                       .defaults = {.max_positions = 2048}};

const Family kMistral = {.name = "mistral",
                         .model_types = kMistralTypes,
                         .architecture = "MistralForCausalLM",
                         .gguf = "llama",
                         .weights_prefix = "model.",
                         .build = build,
                         .read_hf = read_mistral,
                         .write_hf = write_mistral,
                         .read_gguf = read_gguf,
                         .names = kNames,
                         .aliases = {},
                         .difference = FormatDifference::rotary_rows,
                         .defaults = {.max_positions = 131072}};

}  // namespace motley
