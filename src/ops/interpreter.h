// The reference interpreter: runs any Graph, at any stage of the compiler, slowly and in double precision. It is what every pass, kernel
// and device is compared with. Composite ops run by their expansion, so an op has one meaning.
//
//   Interpreter reference(graph, [&](const std::string& name) { return checkpoint.load(name); });
//   auto out = reference.run({.T = 5, .S = 1, .R = 1}, {{"tokens", ids}, {"positions", positions}, ...});
//   out["logits"].data
//
// States that change (KV pages) are kept between runs; weights are loaded when a node first needs them and dropped after its last use
// in the run, so a large model needs memory for one layer at a time.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/def.h"

namespace motley {

// The values that state `name` starts with, in plain layout. An empty Tensor means zeros.
using StateLoader = std::function<Tensor(const std::string& name)>;

class Interpreter {
 public:
  Interpreter(Graph graph, StateLoader load);

  // 32-bit words; a float input comes as its bits (base/bits.h).
  using Inputs = std::map<std::string, std::vector<int32_t>>;
  // Called with each node's results as they are computed; for comparing a device's values node by node.
  using Observer = std::function<void(const Node& node, std::span<const RefValue> results)>;

  // One step. Error(usage) when an input is missing or has another size than the bound type.
  std::map<std::string, RefValue> run(const Sizes& sizes, const Inputs& inputs, const Observer& observe = {});

  // What a state that changes holds after the last run.
  const RefValue& changed(const std::string& state) const;
  // What it holds before the next one: of a state that another graph has changed.
  void keep(const std::string& state, RefValue value) { changed_[state] = std::move(value); }

  const Graph& graph() const { return graph_; }

 private:
  RefValue load_state(const Node& node) const;

  Graph graph_;
  StateLoader load_;
  std::vector<int> last_use_;                // by node: the last node that reads it; nodes.size() for outputs
  std::map<std::string, RefValue> changed_;  // current values of the states that change
};

// One op on given values: by its eval, or by its expansion.
std::vector<RefValue> evaluate(const Op& op, std::span<const Type> in_types, std::span<const RefValue* const> in, const Sizes& sizes);

// A graph whose Input nodes come first, on their values; without states. The values of its outputs.
std::vector<RefValue> evaluate(const Graph& graph, std::span<const RefValue* const> inputs, const Sizes& sizes);

// The stored elements of a tensor as a reference value (raw bytes kept).
RefValue reference_value(const Tensor& tensor);

}  // namespace motley
