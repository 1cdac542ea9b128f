#include "nn/layers.h"

#include <fmt/core.h>

#include "base/error.h"
#include "nn/rope.h"
#include "ops/builder.h"

namespace motley {
namespace {

std::string weight_of(std::string_view name) { return fmt::format("{}.weight", name); }

// Products and norms read weights of any type; an addition wants both sides alike.
Value bias(Builder& b, int64_t size) {
  Value v = b.weight("bias", {size});
  return b.type(v).dtype == Dtype::f32 ? v : b.emit(Cast{Dtype::f32}, {v});
}

}  // namespace

std::string block_name(std::string_view prefix, int64_t layer) { return fmt::format("{}.{}", prefix, layer); }

Value embed(Builder& b, const ModelConfig& c, std::string_view table) {
  return b.gather(b.weight(weight_of(table), {c.vocab, c.hidden}), b.tokens());
}

Value linear(Builder& b, const ModelConfig& c, Value x, std::string_view name, int64_t in, int64_t out, bool has_bias) {
  Value w = b.weight(weight_of(name), c.input_first ? Shape{in, out} : Shape{out, in});
  auto scope = b.scope(name);
  Value y = b.matmul(x, w, !c.input_first);
  return has_bias ? b.add(y, bias(b, out)) : y;
}

Value rms_norm(Builder& b, const ModelConfig& c, Value x, std::string_view name) {
  auto scope = b.scope(name);
  return b.rms_norm(x, b.weight("weight", {b.type(x).dim(-1).n}), c.norm_eps, c.norm_offset);
}

Value layer_norm(Builder& b, const ModelConfig& c, Value x, std::string_view name) {
  const int64_t n = b.type(x).dim(-1).n;
  auto scope = b.scope(name);
  return b.layer_norm(x, b.weight("weight", {n}), b.weight("bias", {n}), c.norm_eps);
}

Value attention(Builder& b, const ModelConfig& c, const Rotary& rotary, int64_t layer, Value x, const AttentionParts& parts) {
  const int64_t q_size = c.heads * c.head_dim, kv_size = c.kv_heads * c.head_dim;
  auto scope = b.scope("self_attn");
  Value q = b.split_heads(linear(b, c, x, "q_proj", c.hidden, q_size, c.qkv_bias), c.heads);
  Value k = b.split_heads(linear(b, c, x, "k_proj", c.hidden, kv_size, c.qkv_bias), c.kv_heads);
  Value v = b.split_heads(linear(b, c, x, "v_proj", c.hidden, kv_size, c.qkv_bias), c.kv_heads);
  if (parts.head_norms) {
    q = rms_norm(b, c, q, "q_norm");
    k = rms_norm(b, c, k, "k_norm");
  }
  Value y = attend(b, c, layer, rotary.turn(q, layer), rotary.turn(k, layer), v);
  return linear(b, c, y, "o_proj", q_size, c.hidden, c.output_bias);
}

Value attend(Builder& b, const ModelConfig& c, int64_t layer, Value q, Value k, Value v) {
  return b.merge_heads(b.attend(
      q, k, v, {.scale = static_cast<float>(c.attention_scale), .softcap = c.attention_softcap, .window = c.window(layer), .causal = c.causal}));
}

Value gated_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  auto scope = b.scope("mlp");
  Value gate = linear(b, c, x, "gate_proj", c.hidden, c.ff, c.ff_bias);
  Value up = linear(b, c, x, "up_proj", c.hidden, c.ff, c.ff_bias);
  return linear(b, c, b.glu(c.activation, gate, up), "down_proj", c.ff, c.hidden, c.ff_bias);
}

Value expert_feed_forward(Builder& b, const ModelConfig& c, Value x, const ExpertNames& names) {
  Value w_gate = b.weight(weight_of(names.gate), {c.experts, c.expert_ff, c.hidden});
  Value w_up = b.weight(weight_of(names.up), {c.experts, c.expert_ff, c.hidden});
  Value w_down = b.weight(weight_of(names.down), {c.experts, c.hidden, c.expert_ff});

  Value router = linear(b, c, x, names.router, c.hidden, c.experts, false);  // [T, experts]
  auto scope = b.scope("experts");
  auto [share, chosen] = b.top_k(b.softmax(router), c.experts_used);  // [T, k] both
  if (c.normalise_experts) share = b.div(share, b.sum(share));

  Value gate = b.expert_matmul(x, w_gate, chosen), up = b.expert_matmul(x, w_up, chosen);  // [T, k, F]
  Value y = b.expert_matmul(b.glu(c.activation, gate, up), w_down, chosen);                // [T, k, E]
  const Dim tokens = b.type(x).dim(0);
  y = b.mul(y, b.reshape(share, {tokens, {c.experts_used}, {1}}));
  return b.reshape(b.sum(y, 1), {tokens, {c.hidden}});
}

Value rows_to_answer(Builder& b, const ModelConfig& c, Value h) {
  if (c.task == Task::language_model) return b.wanted_rows(h);
  if (c.task != Task::embedding) return b.last_rows(h);
  switch (c.pooling) {
    case Pooling::mean:  // of what the norm makes of them
      return h;
    case Pooling::first:
      return b.first_rows(h);
    case Pooling::last:
      return b.last_rows(h);
    case Pooling::pooler:
      refuse_pooler(c);
  }
  return {};
}

void refuse_pooler(const ModelConfig& c) {
  fail(ErrorKind::usage, "embed", "a {} model has no pooler; pool its tokens by mean, first or last", c.family);
}

void answer(Builder& b, const ModelConfig& c, Value x, std::string_view head, std::string_view table) {
  if (c.task == Task::embedding) return sentence_embedding(b, c, c.pooling == Pooling::mean ? b.mean_rows(x) : x);
  if (c.task != Task::language_model) {
    Value w = b.weight("score.weight", {c.num_labels(), c.hidden});
    return b.output(b.matmul(b.dropout(x, c.head_dropout), w), "logits");
  }
  Value w = b.weight(weight_of(c.tied ? table : head), {c.vocab, c.hidden});
  auto scope = b.scope(head);
  Value y = b.matmul(x, w);
  b.output(c.logit_softcap > 0 ? b.softcap(y, c.logit_softcap) : y, "logits");
}

void sentence_embedding(Builder& b, const ModelConfig& c, Value pooled) {
  auto scope = b.scope("embedding");
  if (c.normalise) {
    Value length = b.emit(Sqrt{}, {b.sum(b.mul(pooled, pooled))});
    pooled = b.div(pooled, b.emit(Maximum{}, {length, b.scalar(1e-12f)}));
  }
  b.output(pooled, "embedding");
}

}  // namespace motley
