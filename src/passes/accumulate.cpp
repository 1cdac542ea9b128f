#include "passes/accumulate.h"

#include <map>
#include <string>
#include <vector>

#include "ops/builder.h"
#include "passes/autodiff.h"
#include "passes/update.h"

namespace motley {
namespace {

std::string sum_name(const LearnedState& l) { return std::string(kGradientState) + l.name; }

}  // namespace

Graph accumulate(const Graph& learning, bool first) {
  Graph whole = learning;
  auto learned = take_gradients(whole);
  std::multimap<int32_t, const LearnedState*> by_node;  // that forms the gradient
  for (const LearnedState& l : learned) by_node.emplace(l.grad.node, &l);

  return rebuild(whole, [&](Graph& to, const Node& n, int32_t old) -> std::vector<Value> {
    std::vector<Value> values = copy_node(to, n);
    Builder b(std::move(to));
    // At once: a gradient that waited for the end of the step would take memory meanwhile.
    for (auto [it, end] = by_node.equal_range(old); it != end; ++it) {
      const LearnedState& l = *it->second;
      Value gradient = values[static_cast<size_t>(l.grad.result)];
      b.set_origin(l.name + ".accumulate", whole.node(l.state).block);
      Value sum = b.step_state(sum_name(l), b.type(gradient));
      b.update(b.emit(Assign{}, {sum, first ? gradient : b.add(sum, gradient)}), sum_name(l));
    }
    to = b.release();
    return values;
  });
}

Graph accumulated(const Graph& learning) {
  Graph whole = learning;
  auto learned = take_gradients(whole);
  Graph leaves;
  for (const LearnedState& l : learned) leaves.push(whole.node(l.state));
  Builder b(std::move(leaves));
  for (const LearnedState& l : learned) b.output(b.step_state(sum_name(l), whole.type(l.state)), std::string(kGradientOutput) + l.name);
  return b.release();
}

Graph add_averages(const Graph& updated, double decay) {
  Graph whole = updated;
  const auto updates = whole.updates;
  Builder b(std::move(whole));
  for (const Output& u : updates) {
    if (u.name.starts_with(kOptimizerState)) continue;
    const std::string name = std::string(kAverageState) + u.name;
    b.set_origin(u.name + ".average", b.graph().node(u.value).block);
    Value average = b.step_state(name, b.type(u.value));
    Value towards = b.mul(b.sub(u.value, average), b.scalar(static_cast<float>(1 - decay)));
    b.update(b.emit(Assign{}, {average, b.add(average, towards)}), name);
  }
  return b.take();
}

}  // namespace motley
