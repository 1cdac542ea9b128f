// Makes of a Graph with gradients (autodiff.h) one that takes an optimizer's step: each output "grad x" becomes an update of state x and of
// the optimizer's own states, "optimizer.m.x" and so on, which begin as zeros. Afterwards the step's inputs are also
//
//   lr     f32[1]   the learning rate
//   scale  f32[1]   multiplies every gradient: 1 / (weight of the whole batch * loss scale)
//   step   i32[1]   counted from 1, where the optimizer asks for it
//
// and its output "grad_norm" is the length of all scaled gradients, before clipping.
//
//   Graph step = add_updates(autodiff(graph, {}), {.op = Adamw{.decay = 0.1}, .clip = 1});
#pragma once
#include <functional>
#include <string_view>

#include "ir/graph.h"

namespace motley {

inline constexpr std::string_view kOptimizerState = "optimizer.";

struct UpdateOptions {
  Op op = Adamw{};  // Adamw, Sgd, SgdMomentum, Lion or Adafactor, with its settings
  float clip = 0;   // gradients longer than this together are shortened to it; 0: never
  // Whether a state decays by op.decay. Null: what has two axes or more (neither norms nor biases).
  std::function<bool(std::string_view state, const Type& type)> decays = {};
};

Graph add_updates(const Graph& graph, const UpdateOptions& options);

}  // namespace motley
