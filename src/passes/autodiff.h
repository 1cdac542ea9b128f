// Makes of a Graph that computes a loss one that also computes the loss's gradient. It is a pass like others: the result is an ordinary Graph,
// whose backward part is nodes named after those they belong to ("layers.0.mlp.grad").
//
//   Graph learning = autodiff(graph, {.loss = "loss"});   // outputs "grad model.embed_tokens.weight", ...
//   Graph step = add_updates(learning, {.op = Adamw{}});   // update.h
//
// Composite ops without a rule of their own are differentiated through their expansion. Values used several times sum their gradients (a
// tied embedding); what the gradients do not need is not in the result.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ops/builder.h"

namespace motley {

inline constexpr std::string_view kGradientOutput = "grad ";  // and the state's name
// Nodes of the backward part are called after those they belong to, with this at the end. Later passes know the part by it.
inline constexpr std::string_view kBackward = ".grad";
bool is_backward(const Node& node);

struct AutodiffOptions {
  std::string loss = "loss";  // the output to differentiate: f32[1]
  // Which states learn. Null: every float state that the loss depends on. One that is chosen and has no gradient is an error.
  std::function<bool(std::string_view state)> learns = {};
  // Starts from an input "loss_scale" (f32[1]) instead of 1, so that gradients in a small format do not vanish.
  bool scaled = false;
};

// Error(usage) naming the node whose op has no gradient, or the state that the loss does not depend on. What an earlier differentiation added
// (is_backward) is constant to this one: second derivatives are not formed.
Graph autodiff(const Graph& graph, const AutodiffOptions& options);

// The gradients of `of` when that of `result` is `seed`; not valid where result does not depend on it. Every op on the way has a rule.
std::vector<Value> gradients(Builder& b, Value result, Value seed, std::span<const Value> of);

// By node: whether it is one of `of` or depends on one, otherwise than through a backward part.
std::vector<char> dependents(const Graph& graph, const std::function<bool(const Node& node)>& of);

// A state and its gradient, of the outputs that autodiff made. They are taken off the graph's list of outputs; the rest stays.
struct LearnedState {
  Value state, grad;
  std::string name;
};
std::vector<LearnedState> take_gradients(Graph& graph);

// The graph with those composite ops expanded that depend on one of `of` and have no rule of their own, and those in the form that forms its own
// gradients that have one.
Graph expand_for_gradient(const Graph& graph, const std::function<bool(const Node& node)>& of);

}  // namespace motley
