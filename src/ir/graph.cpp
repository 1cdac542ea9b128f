#include "ir/graph.h"

#include "base/check.h"

namespace motley {

Value Graph::push(Node node) {
  nodes.push_back(std::move(node));
  return {static_cast<int32_t>(nodes.size()) - 1, 0};
}

std::vector<int> count_uses(const Graph& graph) {
  std::vector<int> uses(graph.nodes.size(), 0);
  auto use = [&](Value v) { ++uses[static_cast<size_t>(v.node)]; };
  for (const Node& n : graph.nodes)
    for (Value v : n.in) use(v);
  for (const auto& o : graph.outputs) use(o.value);
  for (const auto& u : graph.updates) use(u.value);
  return uses;
}

std::vector<Value> copy_node(Graph& to, const Node& node) {
  Value first = to.push(node);
  std::vector<Value> out;
  for (size_t r = 0; r < node.out.size(); ++r) out.push_back({first.node, static_cast<int32_t>(r)});
  return out;
}

Graph rebuild(const Graph& graph, const Rewrite& rewrite) {
  Graph to;
  std::vector<std::vector<Value>> at(graph.nodes.size());
  auto mapped = [&](Value v) {
    const auto& values = at[static_cast<size_t>(v.node)];
    check(static_cast<size_t>(v.result) < values.size(), "a rewrite dropped a value that is still used");
    return values[static_cast<size_t>(v.result)];
  };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node node = graph.nodes[i];
    for (Value& v : node.in) v = mapped(v);
    at[i] = rewrite(to, node, static_cast<int32_t>(i));
  }
  for (const auto& o : graph.outputs) to.outputs.push_back({mapped(o.value), o.name});
  for (const auto& u : graph.updates) to.updates.push_back({mapped(u.value), u.name});
  return to;
}

Graph without_dead(const Graph& graph) {
  std::vector<char> live(graph.nodes.size(), 0);
  auto mark = [&](Value v) { live[static_cast<size_t>(v.node)] = 1; };
  for (const auto& o : graph.outputs) mark(o.value);
  for (const auto& u : graph.updates) mark(u.value);
  for (size_t i = graph.nodes.size(); i-- > 0;)
    if (live[i])
      for (Value v : graph.nodes[i].in) mark(v);
  Graph to;
  std::vector<int32_t> at(graph.nodes.size(), -1);
  auto mapped = [&](Value v) { return Value{at[static_cast<size_t>(v.node)], v.result}; };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!live[i]) continue;  // what it reads may be dead as well
    Node n = graph.nodes[i];
    for (Value& v : n.in) v = mapped(v);
    at[i] = to.push(std::move(n)).node;
  }
  for (const auto& o : graph.outputs) to.outputs.push_back({mapped(o.value), o.name});
  for (const auto& u : graph.updates) to.updates.push_back({mapped(u.value), u.name});
  return to;
}

}  // namespace motley
