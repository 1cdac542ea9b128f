#include "passes/head_loss.h"

#include <algorithm>
#include <map>
#include <optional>

#include "ops/def.h"

namespace motley {
namespace {

// The op in place of a cross-entropy, on values of the same graph.
std::optional<Node> match(const Graph& graph, const std::vector<int>& uses, const Node& loss) {
  const auto* entropy = std::get_if<CrossEntropy>(&loss.op);
  if (!entropy) return std::nullopt;
  auto only_here = [&](Value v) { return uses[static_cast<size_t>(v.node)] == 1; };
  HeadLoss op{.smoothing = entropy->smoothing};
  Value logits = loss.in[0];
  if (const auto* cap = std::get_if<Softcap>(&graph.node(logits).op); cap && only_here(logits)) {
    op.softcap = cap->cap;
    logits = graph.node(logits).in[0];
  }
  const Node& product = graph.node(logits);
  const auto* m = std::get_if<Matmul>(&product.op);
  if (!m || !only_here(logits) || !m->transpose_w || m->activation != ActivationFormat::f32) return std::nullopt;
  Node node{op, {product.in[0], product.in[1], loss.in[1]}, {}, loss.name, loss.block};
  Types types;
  for (Value v : node.in) types.push_back(graph.type(v));
  node.out = infer_types(node.op, types);
  return node;
}

}  // namespace

Graph fuse_head_loss(const Graph& graph, const std::function<bool(const Node&, const Graph&)>& accepts) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<char> lse_read(graph.nodes.size(), 0);
  auto look = [&](Value v) {
    if (v.result == 2) lse_read[static_cast<size_t>(v.node)] = 1;
  };
  for (const Node& n : graph.nodes) std::ranges::for_each(n.in, look);
  for (const auto& o : graph.outputs) look(o.value);

  std::map<int32_t, Node> found;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    auto node = lse_read[i] ? std::nullopt : match(graph, uses, graph.nodes[i]);
    if (node && (!accepts || accepts(*node, graph))) found.emplace(static_cast<int32_t>(i), std::move(*node));
  }
  if (found.empty()) return graph;
  std::vector<std::vector<Value>> at(graph.nodes.size());
  Graph to;
  auto mapped = [&](Value v) { return at[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    auto it = found.find(static_cast<int32_t>(i));
    Node n = it == found.end() ? graph.nodes[i] : it->second;
    for (Value& v : n.in) v = mapped(v);
    at[i] = copy_node(to, n);
  }
  for (const auto& o : graph.outputs) to.outputs.push_back({mapped(o.value), o.name});
  for (const auto& u : graph.updates) to.updates.push_back({mapped(u.value), u.name});
  return without_dead(to);
}

}  // namespace motley
