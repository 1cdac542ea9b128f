// Makes of a Graph with gradients (autodiff.h) the two halves of a step over several micro-batches: one that is run for each of them and
// leaves its gradients in states "gradient.x", and one that is run once afterwards and has these as its gradients, for add_updates (update.h).
// A loss is a sum and a weight, so the sum of the micro-batches' gradients is that of the whole batch, however unevenly it was split.
//
//   Graph learning = autodiff(objective, {});
//   Graph first = accumulate(learning, true), more = accumulate(learning, false);
//   Graph close = add_averages(add_updates(accumulated(learning), {.op = Adamw{}}), 0.999);
#pragma once
#include <string_view>

#include "ir/graph.h"

namespace motley {

inline constexpr std::string_view kGradientState = "gradient.";  // and the name of the state that learns
inline constexpr std::string_view kAverageState = "average.";

// first: the sums begin anew, whatever they held; otherwise this micro-batch's gradients are added to them.
Graph accumulate(const Graph& learning, bool first);

// Only the states that learn, and as outputs "grad x" what accumulate() left.
Graph accumulated(const Graph& learning);

// Behind each update of a state that learns, one of "average.x": decay * average + (1 - decay) * x. The optimizer's own states have none.
Graph add_averages(const Graph& updated, double decay);

}  // namespace motley
