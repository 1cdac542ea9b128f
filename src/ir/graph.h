// A Graph says what to compute: nodes in execution order, each an op on earlier values. It names no device and holds no data.
// It is one of the three values that cross stages, and its text form parses back (print, parse_graph):
//
//   graph
//   %0 = input : i32[T<=512] "tokens"
//   %1 = state : f32[512,64] "model.embed_tokens.weight"
//   %2 = gather(%1, %0) : f32[T<=512,64] "embed" block=-1
//   output %2 "hidden"
//
// A node has one or more results; a value is a node and a result index. States are named inputs: an op that changes one returns its
// successor (`update`), and each state value is consumed at most once by such an op.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "ir/type.h"

namespace motley {

struct Value {
  int32_t node = -1, result = 0;
  bool operator==(const Value&) const = default;
  bool valid() const { return node >= 0; }
};

struct Node {
  Op op;
  std::vector<Value> in;
  Types out;
  std::string name;  // "layers.3.attn.q"; of a state: the name of the weight
  int block = -1;    // the planner's unit: a layer's number, -1 outside the layers
};

struct Output {
  Value value;
  std::string name;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Output> outputs;  // what the step returns, e.g. "logits"
  std::vector<Output> updates;  // the last successor of each state that changes, under the state's name

  const Node& node(Value v) const { return nodes[static_cast<size_t>(v.node)]; }
  const Type& type(Value v) const { return nodes[static_cast<size_t>(v.node)].out[static_cast<size_t>(v.result)]; }
  Value push(Node node);
};

// How often each node's results are used (inputs of nodes, outputs and updates), by node index.
std::vector<int> count_uses(const Graph& graph);

// Rebuilds a graph node by node: `rewrite` receives each old node with its inputs already mapped to the new graph and returns the new
// values of its results. Outputs and updates follow. This is how passes are written.
using Rewrite = std::function<std::vector<Value>(Graph& to, const Node& node, int32_t old_index)>;
Graph rebuild(const Graph& graph, const Rewrite& rewrite);

// Pushes the node unchanged; returns its results' values. The default action of a Rewrite.
std::vector<Value> copy_node(Graph& to, const Node& node);

// Without the nodes that no output and no update needs.
Graph without_dead(const Graph& graph);

}  // namespace motley
