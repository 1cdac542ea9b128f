// Neighbouring nodes become one op that reads and writes memory once:
//   glu           act(gate) * up                        -> glu(gate, up)
//   add_rms_norm  s = x + y; rms_norm(s, w)             -> s, n = add_rms_norm(x, y, w)
//   glu_matmul    glu(matmul(x, w1), matmul(x, w3))     -> glu_matmul(x, w1, w3)
//   matmul_add    matmul(x, w) + c (bias or residual)   -> matmul_add(x, w, c)
//   head_loss     cross_entropy(matmul(x, w), targets)  -> head_loss(x, w, targets)          (head_loss.h)
// Each applies only where the values inside have no other reader and the device has a kernel for the result.
#include <algorithm>
#include <optional>
#include <set>

#include "motley/error.h"
#include "ops/def.h"
#include "passes/head_loss.h"
#include "passes/layouts.h"
#include "passes/pass.h"

namespace motley {
namespace {

// One rewrite's view of the graph it reads: who uses what, and what the device takes.
struct Site {
  const Graph& graph;
  const Target& target;
  std::vector<int> uses;
  std::vector<std::string_view> layouts;

  Site(const Graph& g, const Target& t) : graph(g), target(t), uses(count_uses(g)), layouts(choose_layouts(g, t)) {}

  template <class T>
  const T* only_used_here(Value v) const {
    return uses[static_cast<size_t>(v.node)] == 1 ? std::get_if<T>(&graph.node(v).op) : nullptr;
  }

  // The fused node on values of the old graph, if its types fit and the device has a kernel for it.
  std::optional<Node> node(Op op, std::vector<Value> in, const Node& like) const {
    Types types;
    std::vector<std::string_view> in_layouts;
    for (Value v : in) types.push_back(graph.type(v)), in_layouts.push_back(layouts[static_cast<size_t>(v.node)]);
    Types out;
    try {
      out = infer_types(op, types);
    } catch (const Error&) {  // a broadcast the fused op does not have: not a place to fuse
      return std::nullopt;
    }
    if (!choose_kernel(target, {op, types, in_layouts, out}).kernel) return std::nullopt;
    return Node{std::move(op), std::move(in), std::move(out), like.name, like.block};
  }
};

// What a rewrite found: old node i becomes fused[i], or is equal to result 1 of the new form of old node second_of[i].
struct Found {
  explicit Found(const Graph& graph) : fused(graph.nodes.size()), second_of(graph.nodes.size(), -1) {}
  std::vector<std::optional<Node>> fused;  // inputs are values of the old graph that come before it
  std::vector<int32_t> second_of;
};

Graph replace(const Graph& graph, const Found& found) {
  Graph to;
  std::vector<std::vector<Value>> at(graph.nodes.size());
  auto mapped = [&](Value v) { return at[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (found.second_of[i] >= 0) {
      at[i] = {{at[static_cast<size_t>(found.second_of[i])][0].node, 1}};
      continue;
    }
    Node n = found.fused[i] ? *found.fused[i] : graph.nodes[i];
    for (Value& v : n.in) v = mapped(v);
    at[i] = copy_node(to, n);
  }
  for (const auto& o : graph.outputs) to.outputs.push_back({mapped(o.value), o.name});
  for (const auto& u : graph.updates) to.updates.push_back({mapped(u.value), u.name});
  return to;
}

// Inputs, states and constants before everything else, so that a weight is there whichever of its readers moves forward.
Graph leaves_first(const Graph& graph) {
  auto is_leaf = [](const Node& n) { return n.in.empty(); };
  Graph to;
  std::vector<Value> at(graph.nodes.size());
  for (bool leaves : {true, false})
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      if (is_leaf(graph.nodes[i]) != leaves) continue;
      Node n = graph.nodes[i];
      for (Value& v : n.in) v.node = at[static_cast<size_t>(v.node)].node;
      at[i] = to.push(std::move(n));
    }
  auto mapped = [&](Value v) { return Value{at[static_cast<size_t>(v.node)].node, v.result}; };
  for (const auto& o : graph.outputs) to.outputs.push_back({mapped(o.value), o.name});
  for (const auto& u : graph.updates) to.updates.push_back({mapped(u.value), u.name});
  return to;
}

Graph fuse_glu(const Graph& graph, const Target& target) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    if (!std::holds_alternative<Mul>(n.op) || graph.type(n.in[0]) != graph.type(n.in[1])) continue;
    for (size_t side = 0; side < 2 && !found.fused[i]; ++side)
      if (const auto* act = site.only_used_here<Act>(n.in[side]))
        found.fused[i] = site.node(Glu{act->kind}, {graph.node(n.in[side]).in[0], n.in[1 - side]}, n);
  }
  return replace(graph, found);
}

Graph fuse_glu_matmul(const Graph& graph, const Target& target) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    const auto* glu = std::get_if<Glu>(&n.op);
    if (!glu) continue;
    const auto *gate = site.only_used_here<Matmul>(n.in[0]), *up = site.only_used_here<Matmul>(n.in[1]);
    if (!gate || !up || !gate->transpose_w || !up->transpose_w || gate->activation != up->activation) continue;
    const Node &g = graph.node(n.in[0]), &u = graph.node(n.in[1]);
    if (g.in[0] != u.in[0]) continue;
    found.fused[i] = site.node(GluMatmul{glu->kind, gate->activation}, {g.in[0], g.in[1], u.in[1]}, n);
  }
  return replace(graph, found);
}

Graph fuse_matmul_add(const Graph& graph, const Target& target) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    if (!std::holds_alternative<Add>(n.op)) continue;
    for (size_t side = 0; side < 2 && !found.fused[i]; ++side) {
      const auto* m = site.only_used_here<Matmul>(n.in[side]);
      if (m && graph.type(n.in[side]) == n.out[0])
        found.fused[i] =
            site.node(MatmulAdd{m->transpose_w, m->activation}, {graph.node(n.in[side]).in[0], graph.node(n.in[side]).in[1], n.in[1 - side]}, n);
    }
  }
  return replace(graph, found);
}

// The sum stays alive as the residual, so the add becomes the first result and the norm the second.
Graph fuse_add_rms_norm(const Graph& graph, const Target& target) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* norm = std::get_if<RmsNorm>(&graph.nodes[i].op);
    if (!norm) continue;
    Value sum = graph.nodes[i].in[0], w = graph.nodes[i].in[1];
    const Node& add = graph.node(sum);
    auto& fused = found.fused[static_cast<size_t>(sum.node)];
    if (!std::holds_alternative<Add>(add.op) || fused || w.node > sum.node || graph.type(add.in[0]) != graph.type(add.in[1])) continue;
    fused = site.node(AddRmsNorm{norm->eps, norm->offset}, {add.in[0], add.in[1], w}, add);
    if (fused) found.second_of[i] = sum.node;
  }
  return replace(graph, found);
}

// The head of a head_loss lies plain; a product that reads it too would want it otherwise.
bool takes_head_loss(const Graph& graph, const Node& n, const Target& target) {
  int readers = 0;
  for (const Node& other : graph.nodes)
    readers += !std::holds_alternative<Gather>(other.op) && std::ranges::find(other.in, n.in[1]) != other.in.end();
  const std::vector<std::string_view> plain(n.in.size(), kPlainLayout);
  Types types;
  for (Value v : n.in) types.push_back(graph.type(v));
  return readers == 1 && choose_kernel(target, {n.op, types, plain, n.out}).kernel != nullptr;
}

// A fused node leaves its parts without readers.
Graph drop_unread(const Graph& graph, const PassContext& context) {
  static const std::set<std::string> all_but_dead = {"simplify.identity", "simplify.reshape", "simplify.cse"};
  return simplify(graph, {context.target, all_but_dead});
}

}  // namespace

Graph fuse(const Graph& graph, const PassContext& context) {
  Graph g = leaves_first(graph);
  if (context.enabled("fuse", "glu")) g = drop_unread(fuse_glu(g, context.target), context);
  if (context.enabled("fuse", "add_rms_norm")) g = drop_unread(fuse_add_rms_norm(g, context.target), context);
  if (context.enabled("fuse", "glu_matmul")) g = drop_unread(fuse_glu_matmul(g, context.target), context);
  if (context.enabled("fuse", "head_loss"))
    g = fuse_head_loss(g, [&](const Node& n, const Graph& of) { return takes_head_loss(of, n, context.target); });
  if (context.enabled("fuse", "matmul_add")) g = drop_unread(fuse_matmul_add(g, context.target), context);
  return g;
}

}  // namespace motley
