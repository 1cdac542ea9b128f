// Mixtral (Jiang et al. 2024): Mistral whose feed-forwards are each eight, of which a router picks two for every token.
#include "nn/families_list.h"
#include "nn/layers.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

constexpr ExpertNames kExperts = {.router = "block_sparse_moe.gate",
                                  .gate = "block_sparse_moe.experts.w1",
                                  .up = "block_sparse_moe.experts.w3",
                                  .down = "block_sparse_moe.experts.w2"};

void build(Builder& b, const ModelConfig& c) {
  Rotary rotary(b, c);
  Value h = embed(b, c);
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    auto block = b.block(static_cast<int>(layer), block_name("model.layers", layer));
    h = b.add(h, attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm")));
    h = b.add(h, expert_feed_forward(b, c, rms_norm(b, c, h, "post_attention_layernorm"), kExperts));
  }
  answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
}

void read_hf(const ConfigSource& source, ModelConfig& c) {
  c.experts = source.integer("num_local_experts", {1, kMaxExperts}, 8);
  c.experts_used = source.integer("num_experts_per_tok", {1, kMaxExperts}, 2);
  c.expert_ff = c.ff;
  c.expert_layers.assign(static_cast<size_t>(c.layers), true);
  c.windows = hf_windows(source, c, source.integer("sliding_window", {1, kMaxPositions}, 0), [](int64_t) { return true; });
}

void write_hf(const ModelConfig& c, ConfigSink& sink) {
  sink.set("num_local_experts", c.experts);
  sink.set("num_experts_per_tok", c.experts_used);
  hf_write_windows(c, has_mixed_windows(c), sink);
}

void read_gguf(const ConfigSource& source, ModelConfig& c) {
  c.expert_ff = source.integer("expert_feed_forward_length", {1, kMaxWidth}, c.ff);
  c.expert_layers.assign(static_cast<size_t>(c.layers), true);
}

constexpr std::string_view kTypes[] = {"mixtral"};
constexpr NamePair kNames[] = {{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
                               {"model.layers.{}.block_sparse_moe.gate", "blk.{}.ffn_gate_inp"},
                               {"model.layers.{}.block_sparse_moe.experts.w1", "blk.{}.ffn_gate_exps"},
                               {"model.layers.{}.block_sparse_moe.experts.w2", "blk.{}.ffn_down_exps"},
                               {"model.layers.{}.block_sparse_moe.experts.w3", "blk.{}.ffn_up_exps"}};

}  // namespace

const Family kMixtral = {.name = "mixtral",
                         .model_types = kTypes,
                         .architecture = "MixtralForCausalLM",
                         .gguf = "llama",
                         .weights_prefix = "model.",
                         .build = build,
                         .read_hf = read_hf,
                         .write_hf = write_hf,
                         .read_gguf = read_gguf,
                         .names = kNames,
                         .aliases = {},
                         .difference = FormatDifference::rotary_rows,
                         .defaults = {.norm_eps = 1e-5, .theta = 1e6, .max_positions = 131072}};

}  // namespace motley
