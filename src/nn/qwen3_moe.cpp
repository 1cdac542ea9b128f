// Qwen3 mixture of experts (Yang et al. 2025): Qwen3 attention; in the layers chosen by decoder_sparse_step and mlp_only_layers many small
// experts, in the others one dense feed-forward.
#include <algorithm>

#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/qwen.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr ExpertNames kExperts = {
    .router = "mlp.gate", .gate = "mlp.experts.gate_proj", .up = "mlp.experts.up_proj", .down = "mlp.experts.down_proj"};

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("model.layers", layer));
    h = b.add(h, attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm"), {.head_norms = true}));
    Value x = rms_norm(b, c, h, "post_attention_layernorm");
    h = b.add(h, c.has_experts(layer) ? expert_feed_forward(b, c, x, kExperts) : gated_feed_forward(b, c, x));
  }
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.experts = source.integer("num_experts", {1, kMaxExperts}, 128);
  c.experts_used = source.integer("num_experts_per_tok", {1, kMaxExperts}, 8);
  c.expert_ff = source.integer("moe_intermediate_size", {1, kMaxWidth}, 768);
  c.normalise_experts = source.flag("norm_topk_prob", false);
  int64_t step = source.integer("decoder_sparse_step", {1, kMaxLayers}, 1);
  for (int64_t layer = 0; layer < c.layers; ++layer) c.expert_layers.push_back((layer + 1) % step == 0);
  for (int64_t layer : source.find_ints("mlp_only_layers").value_or(std::vector<int64_t>{})) {
    if (layer < 0) source.refuse("mlp_only_layers", std::to_string(layer), "numbers of layers");
    if (layer < c.layers) c.expert_layers[static_cast<size_t>(layer)] = false;
  }
  // transformers gives the window to every layer of this family.
  c.windows = hf_windows(source, c, qwen_window(source), [](int64_t) { return true; });
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("attention_bias", c.qkv_bias);
  sink.set("num_experts", c.experts);
  sink.set("num_experts_per_tok", c.experts_used);
  sink.set("moe_intermediate_size", c.expert_ff);
  sink.set("norm_topk_prob", c.normalise_experts);
  sink.set("decoder_sparse_step", int64_t{1});
  std::vector<int64_t> dense;
  for (int64_t layer = 0; layer < c.layers; ++layer)
    if (!c.has_experts(layer)) dense.push_back(layer);
  sink.set("mlp_only_layers", dense);
  qwen_write_windows(c, sink);
}

void write_gguf(const ModelConfig& c, ConfigSink& sink) { sink.set("expert_weights_norm", c.normalise_experts); }

void read_gguf(const ConfigSource& source, ModelConfig& c) {
  c.expert_ff = source.integer("expert_feed_forward_length", {1, kMaxWidth});
  c.normalise_experts = source.flag("expert_weights_norm", true);
  for (int64_t layer = 0; layer < c.layers; ++layer) c.expert_layers.push_back(source.has_tensor(block_name("blk", layer) + ".ffn_gate_inp.weight"));
}

constexpr std::string_view kTypes[] = {"qwen3_moe"};
constexpr NamePair kNames[] = {
    {"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},        {"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
    {"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},   {"model.layers.{}.mlp.gate", "blk.{}.ffn_gate_inp"},
    {"model.layers.{}.mlp.experts.gate_proj", "blk.{}.ffn_gate_exps"}, {"model.layers.{}.mlp.experts.up_proj", "blk.{}.ffn_up_exps"},
    {"model.layers.{}.mlp.experts.down_proj", "blk.{}.ffn_down_exps"}};
constexpr NamePair kAliases[] = {{"num_experts", "num_local_experts"}};  // so called by transformers 5

}  // namespace

const Family kQwen3Moe = {.name = "qwen3-moe",
                          .model_types = kTypes,
                          .architecture = "Qwen3MoeForCausalLM",
                          .gguf = "qwen3moe",
                          .weights_prefix = "model.",
                          .build = build,
                          .read_hf = read_hf,
                          .write_hf = write_hf,
                          .read_gguf = read_gguf,
                          .write_gguf = write_gguf,
                          .names = kNames,
                          .aliases = kAliases,
                          .difference = FormatDifference::none,
                          .defaults = {.max_positions = 32768}};

}  // namespace motley
