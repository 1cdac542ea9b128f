// Phi-3, Phi-3.5 and Phi-4 mini (Abdin et al. 2024): Llama with q, k, v in one matrix and gate and up in another, which are multiplied
// once and cut afterwards.
#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

Value fused_attention(Builder& b, const ModelConfig& c, const Rotary& rotary, int64_t layer, Value x) {
  const int64_t q_size = c.heads * c.head_dim, kv_size = c.kv_heads * c.head_dim;
  auto scope = b.scope("self_attn");
  Value qkv = linear(b, c, x, "qkv_proj", c.hidden, q_size + 2 * kv_size, c.qkv_bias);
  Value q = b.split_heads(b.slice(qkv, -1, 0, q_size), c.heads);
  Value k = b.split_heads(b.slice(qkv, -1, q_size, kv_size), c.kv_heads);
  Value v = b.split_heads(b.slice(qkv, -1, q_size + kv_size, kv_size), c.kv_heads);
  return linear(b, c, attend(b, c, layer, rotary.turn(q, layer), rotary.turn(k, layer), v), "o_proj", q_size, c.hidden, c.output_bias);
}

Value fused_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  auto scope = b.scope("mlp");
  Value both = linear(b, c, x, "gate_up_proj", c.hidden, 2 * c.ff, c.ff_bias);
  Value y = b.glu(c.activation, b.slice(both, -1, 0, c.ff), b.slice(both, -1, c.ff, c.ff));
  return linear(b, c, y, "down_proj", c.ff, c.hidden, c.ff_bias);
}

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("model.layers", layer));
    h = b.add(h, fused_attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm")));
    h = b.add(h, fused_feed_forward(b, c, rms_norm(b, c, h, "post_attention_layernorm")));
  }
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.windows = hf_windows(source, c, source.integer("sliding_window", {1, kMaxPositions}, 0), [](int64_t) { return true; });
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  // Required here even where nothing is stretched.
  sink.set("original_max_position_embeddings", c.rope.scaling == RopeScaling::none ? c.max_positions : c.rope.original_positions);
  hf_write_windows(c, has_mixed_windows(c), sink);
}

constexpr std::string_view kTypes[] = {"phi3"};
constexpr NamePair kNames[] = {{"model.layers.{}.self_attn.qkv_proj", "blk.{}.attn_qkv"},
                               {"model.layers.{}.mlp.gate_up_proj", "blk.{}.ffn_up"},
                               {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"}};

}  // namespace

const Family kPhi3 = {.name = "phi3",
                      .model_types = kTypes,
                      .architecture = "Phi3ForCausalLM",
                      .gguf = "phi3",
                      .weights_prefix = "model.",
                      .build = build,
                      .read_hf = read_hf,
                      .write_hf = write_hf,
                      .names = kNames,
                      .aliases = {},
                      .difference = FormatDifference::none,
                      .defaults = {.norm_eps = 1e-5, .max_positions = 4096}};

}  // namespace motley
