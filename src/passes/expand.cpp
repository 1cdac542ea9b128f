// A composite op stays whole where the device has a kernel for it; otherwise its expansion takes its place, again and again until
// everything left has a kernel or is basic.
#include "ops/builder.h"
#include "ops/def.h"
#include "passes/layouts.h"
#include "passes/pass.h"

namespace motley {
namespace {

Graph expand_once(const Graph& graph, const Target& target, bool& changed) {
  auto layouts = choose_layouts(graph, target);
  return rebuild(graph, [&](Graph& to, const Node& n, int32_t old) -> std::vector<Value> {
    const Node& before = graph.nodes[static_cast<size_t>(old)];
    if (!def(n.op).expand || choose_kernel(target, NodeStorage(graph, before, layouts).view()).kernel) return copy_node(to, n);
    changed = true;
    Builder b(std::move(to));
    b.set_origin(n.name, n.block);
    auto values = def(n.op).expand(b, n.op, n.in);
    to = b.release();
    return values;
  });
}

}  // namespace

Graph expand(const Graph& graph, const PassContext& context) {
  Graph g = graph;
  for (bool changed = true; changed;) {
    changed = false;
    g = expand_once(g, context.target, changed);
  }
  return g;
}

}  // namespace motley
