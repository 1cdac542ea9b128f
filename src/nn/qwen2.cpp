// Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases on q, k and v; upper layers may have a window.
#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/qwen.h"
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

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.qkv_bias = true;
  c.output_bias = false;
  c.windows = qwen_windows(source, c);
}

void write_hf(const ModelConfig& c, ConfigSink& sink) { qwen_write_windows(c, sink); }

constexpr std::string_view kTypes[] = {"qwen2"};
constexpr NamePair kNames[] = {{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"}};

}  // namespace

int64_t qwen_window(const ConfigSource& source) {
  if (!source.flag("use_sliding_window", false) || source.is_null("sliding_window")) return 0;
  return source.integer("sliding_window", {1, kMaxPositions}, 4096);
}

std::vector<int64_t> qwen_windows(const ConfigSource& source, const ModelConfig& c) {
  int64_t first = source.integer("max_window_layers", {0, kMaxLayers}, 28);
  return hf_windows(source, c, qwen_window(source), [first](int64_t layer) { return layer >= first; });
}

void qwen_write_windows(const ModelConfig& c, ConfigSink& sink) {
  hf_write_windows(c, true, sink);
  sink.set("use_sliding_window", has_windows(c));
}

const Family kQwen2 = {.name = "qwen2",
                       .model_types = kTypes,
                       .architecture = "Qwen2ForCausalLM",
                       .gguf = "qwen2",
                       .weights_prefix = "model.",
                       .build = build,
                       .read_hf = read_hf,
                       .write_hf = write_hf,
                       .names = kNames,
                       .aliases = {},
                       .difference = FormatDifference::none,
                       .defaults = {.qkv_bias = true, .max_positions = 32768}};

}  // namespace motley
