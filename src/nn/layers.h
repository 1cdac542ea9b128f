// The parts that most families share, under the names their weights have in Hugging Face checkpoints. A part that belongs to one family
// only is in that family's file.
//
//   Value h = embed(b, c);
//   h = b.add(h, attention(b, c, rotary, layer, rms_norm(b, c, h, "input_layernorm")));
//   answer(b, c, rms_norm(b, c, rows_to_answer(b, c, h), "model.norm"));
//
// T tokens, E = hidden, H heads of D elements, F = ff.
#pragma once
#include <string>
#include <string_view>

#include "ir/graph.h"
#include "nn/config.h"

namespace motley {

class Builder;
class Rotary;

// "model.layers.3"
std::string block_name(std::string_view prefix, int64_t layer);

Value embed(Builder& b, const ModelConfig& c, std::string_view table = "model.embed_tokens");  // [T, E]

// x w' (+ bias), with weight [out, in] as most checkpoints store it or [in, out] where the config says so.
Value linear(Builder& b, const ModelConfig& c, Value x, std::string_view name, int64_t in, int64_t out, bool has_bias);

Value rms_norm(Builder& b, const ModelConfig& c, Value x, std::string_view name);    // over the last axis
Value layer_norm(Builder& b, const ModelConfig& c, Value x, std::string_view name);  // with its bias

// Grouped-query attention with separate matrices q_proj, k_proj, v_proj, o_proj under "self_attn". head_norms: q and k are normalised
// per head before they turn (q_norm, k_norm).
struct AttentionParts {
  bool head_norms = false;
};
Value attention(Builder& b, const ModelConfig& c, const Rotary& rotary, int64_t layer, Value x, const AttentionParts& parts = {});

// q [T, H, D], k and v [T, Hkv, D], all turned already: attention with the layer's window and the model's scale, as [T, H * D].
Value attend(Builder& b, const ModelConfig& c, int64_t layer, Value q, Value k, Value v);

// act(x gate') * (x up') down' under "mlp" (Shazeer 2020).
Value gated_feed_forward(Builder& b, const ModelConfig& c, Value x);

// A router picks experts_used of the experts for each token; their gated feed-forwards are summed with the router's weights.
// Names are relative to the block: the router, and the expert matrices stacked as [experts, out, in].
struct ExpertNames {
  std::string_view router, gate, up, down;
};
Value expert_feed_forward(Builder& b, const ModelConfig& c, Value x, const ExpertNames& names);

// Of a decoder's hidden states [T, E] those that its task answers from, before the last norm: the rows whose logits are wanted, or each
// text's last, which has seen all of it.
Value rows_to_answer(Builder& b, const ModelConfig& c, Value h);

// A decoder's output from those rows after the last norm. A language model's is "logits" by the head, or by the embedding where it is tied,
// with the soft cap; a classifier's by "score"; otherwise the text's embedding.
void answer(Builder& b, const ModelConfig& c, Value x, std::string_view head = "lm_head", std::string_view table = "model.embed_tokens");

// Error(usage): only BERT and RoBERTa have one.
[[noreturn]] void refuse_pooler(const ModelConfig& c);

// Output "embedding" [S, E] from a text's pooled vector, of length one where the model wants that.
void sentence_embedding(Builder& b, const ModelConfig& c, Value pooled);

}  // namespace motley
