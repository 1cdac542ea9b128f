// What the tensors of a checkpoint are called. A graph's states have Hugging Face names (families.h); this says under which name a file
// has them.
//
//   gguf_name(kLlama, "model.layers.3.self_attn.q_proj.weight")   // "blk.3.attn_q.weight"
//   hf_name(kLlama, "blk.3.attn_q.weight")                        // and back
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/families.h"

namespace motley {

// Nothing for names that the family does not know.
std::optional<std::string> gguf_name(const Family& family, std::string_view state);
std::optional<std::string> hf_name(const Family& family, std::string_view gguf);

// The names under which Hugging Face files have been seen to store a state, most usual first: with the family's prefix and without, and
// inside a model that also reads pictures.
std::vector<std::string> hf_candidates(const Family& family, std::string_view state);

// A state that stacks the matrices of all experts: "model.layers.0.mlp.experts.gate_proj.weight".
struct ExpertState {
  enum Part { gate, up, down } part;
  std::string before, after;  // "model.layers.0.mlp.experts." and ".gate_proj.weight", with the expert's number between in most files
  std::string fused;          // "model.layers.0.mlp.experts.gate_up_proj" (gate over up) or "...down_proj" in files that store them stacked
};
std::optional<ExpertState> expert_state(std::string_view state);

}  // namespace motley
