// GPT-NeoX and Pythia (Black et al. 2022; Biderman et al. 2023): part of each head turns; attention and feed-forward read the same input
// side by side (or one after the other, where the file says so).
#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

Value self_attention(Builder& b, const ModelConfig& c, const Rotary& rotary, int64_t layer, Value x) {
  auto scope = b.scope("attention");
  Value qkv = linear(b, c, x, "query_key_value", c.hidden, 3 * c.hidden, c.qkv_bias);
  if (c.qkv_by_head) qkv = b.split_heads(qkv, c.heads);  // [T, H, 3 D]
  auto part = [&](int64_t i) {
    if (c.qkv_by_head) return b.slice(qkv, -1, i * c.head_dim, c.head_dim);
    return b.split_heads(b.slice(qkv, -1, i * c.hidden, c.hidden), c.heads);
  };
  Value y = attend(b, c, layer, rotary.turn(part(0), layer), rotary.turn(part(1), layer), part(2));
  return linear(b, c, y, "dense", c.hidden, c.hidden, c.output_bias);
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  auto scope = b.scope("mlp");
  Value y = b.act(c.activation, linear(b, c, x, "dense_h_to_4h", c.hidden, c.ff, c.ff_bias));
  return linear(b, c, y, "dense_4h_to_h", c.ff, c.hidden, c.ff_bias);
}

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = embed(b, c, "gpt_neox.embed_in");
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("gpt_neox.layers", layer));
    Value attended = b.add(h, self_attention(b, c, rotary, layer, layer_norm(b, c, h, "input_layernorm")));
    Value x = c.parallel_residual ? h : attended;
    h = b.add(attended, feed_forward(b, c, layer_norm(b, c, x, "post_attention_layernorm")));
  }
  answer(b, c, layer_norm(b, c, rows_to_answer(b, c, h), "gpt_neox.final_layer_norm"), "embed_out", "gpt_neox.embed_in");
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.qkv_by_head = true;
  c.parallel_residual = source.flag("use_parallel_residual", true);
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("attention_bias", c.qkv_bias);
  sink.set("use_parallel_residual", c.parallel_residual);
}

void write_gguf(const ModelConfig& c, ConfigSink& sink) { sink.set("use_parallel_residual", c.parallel_residual); }

void read_gguf(const ConfigSource& source, ModelConfig& c) { c.parallel_residual = source.flag("use_parallel_residual", true); }

constexpr std::string_view kTypes[] = {"gpt_neox"};
constexpr NamePair kNames[] = {{"gpt_neox.embed_in", "token_embd"},
                               {"gpt_neox.final_layer_norm", "output_norm"},
                               {"embed_out", "output"},
                               {"gpt_neox.layers.{}.input_layernorm", "blk.{}.attn_norm"},
                               {"gpt_neox.layers.{}.attention.query_key_value", "blk.{}.attn_qkv"},
                               {"gpt_neox.layers.{}.attention.dense", "blk.{}.attn_output"},
                               {"gpt_neox.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
                               {"gpt_neox.layers.{}.mlp.dense_h_to_4h", "blk.{}.ffn_up"},
                               {"gpt_neox.layers.{}.mlp.dense_4h_to_h", "blk.{}.ffn_down"}};
constexpr NamePair kAliases[] = {{"rms_norm_eps", "layer_norm_eps"}, {"rope_theta", "rotary_emb_base"}, {"partial_rotary_factor", "rotary_pct"}};

}  // namespace

const Family kGptNeoX = {.name = "gpt-neox",
                         .model_types = kTypes,
                         .architecture = "GPTNeoXForCausalLM",
                         .gguf = "gptneox",
                         .weights_prefix = "gpt_neox.",
                         .build = build,
                         .read_hf = read_hf,
                         .write_hf = write_hf,
                         .read_gguf = read_gguf,
                         .write_gguf = write_gguf,
                         .names = kNames,
                         .aliases = kAliases,
                         .difference = FormatDifference::qkv_by_head,
                         .layer_norm = true,
                         .defaults = {.norm_eps = 1e-5,
                                      .partial_rotary = 0.25,
                                      .activation = Activation::gelu,
                                      .qkv_bias = true,
                                      .output_bias = true,
                                      .ff_bias = true,
                                      .max_positions = 2048}};

}  // namespace motley
