// Qwen3 (Yang et al. 2025): no biases; q and k are normalised per head before they turn.
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
    h = b.add(h, attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm"), {.head_norms = true}));
    h = b.add(h, gated_feed_forward(b, c, rms_norm(b, c, h, "post_attention_layernorm")));
  }
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) { c.windows = qwen_windows(source, c); }
void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("attention_bias", c.qkv_bias);
  qwen_write_windows(c, sink);
}

constexpr std::string_view kTypes[] = {"qwen3"};
constexpr NamePair kNames[] = {{"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
                               {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
                               {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"}};

}  // namespace

const Family kQwen3 = {.name = "qwen3",
                       .model_types = kTypes,
                       .architecture = "Qwen3ForCausalLM",
                       .gguf = "qwen3",
                       .weights_prefix = "model.",
                       .build = build,
                       .read_hf = read_hf,
                       .write_hf = write_hf,
                       .names = kNames,
                       .aliases = {},
                       .difference = FormatDifference::none,
                       .defaults = {.head_dim = 128, .max_positions = 32768}};

}  // namespace motley
