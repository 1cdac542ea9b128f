// Rewrites that hold for any values:
//   identity  x + 0, x * 1, x / 1, a cast to the type it has, a slice of everything, a transpose that moves nothing
//   reshape   a reshape of a reshape, a reshape to the same shape
//   cse       a node whose op and inputs another node already has (states are changed only by their own chain, so this is safe)
//   dead      nodes nothing uses
#include <map>
#include <optional>

#include "ir/text.h"
#include "ops/def.h"
#include "passes/pass.h"
#include "passes/recompute.h"

namespace motley {
namespace {

bool constant_is(const Graph& g, Value v, float value) {
  const auto* c = std::get_if<Const>(&g.node(v).op);
  if (!c) return false;
  for (float x : c->values)
    if (x != value) return false;
  return true;
}

// What the node is equal to, when it is one of its own inputs.
std::optional<Value> identity(const Graph& g, const Node& n) {
  auto same_type = [&](Value v) { return g.type(v) == n.out[0]; };
  if (n.in.empty() || n.out.size() != 1) return std::nullopt;
  Value x = n.in[0];
  if (std::holds_alternative<Add>(n.op)) {
    if (constant_is(g, n.in[1], 0) && same_type(x)) return x;
    if (constant_is(g, x, 0) && same_type(n.in[1])) return n.in[1];
  }
  if (std::holds_alternative<Mul>(n.op)) {
    if (constant_is(g, n.in[1], 1) && same_type(x)) return x;
    if (constant_is(g, x, 1) && same_type(n.in[1])) return n.in[1];
  }
  if (std::holds_alternative<Sub>(n.op) && constant_is(g, n.in[1], 0) && same_type(x)) return x;
  if (std::holds_alternative<Div>(n.op) && constant_is(g, n.in[1], 1) && same_type(x)) return x;
  if (std::holds_alternative<Cast>(n.op) && same_type(x)) return x;
  if (std::holds_alternative<Slice>(n.op) && same_type(x)) return x;
  if (const auto* t = std::get_if<Transpose>(&n.op)) {
    for (size_t i = 0; i < t->perm.size(); ++i)
      if (t->perm[i] != static_cast<int64_t>(i)) return std::nullopt;
    return x;
  }
  return std::nullopt;
}

Graph rewrite_identity(const Graph& graph) {
  return rebuild(graph, [](Graph& to, const Node& n, int32_t) -> std::vector<Value> {
    if (auto v = identity(to, n)) return {*v};
    return copy_node(to, n);
  });
}

Graph rewrite_reshape(const Graph& graph) {
  return rebuild(graph, [](Graph& to, const Node& n, int32_t) -> std::vector<Value> {
    if (!std::holds_alternative<Reshape>(n.op)) return copy_node(to, n);
    Node node = n;
    while (std::holds_alternative<Reshape>(to.node(node.in[0]).op)) node.in[0] = to.node(node.in[0]).in[0];
    if (to.type(node.in[0]) == node.out[0]) return {node.in[0]};
    return copy_node(to, node);
  });
}

Graph rewrite_cse(const Graph& graph) {
  std::map<std::string, std::vector<Value>> seen;
  return rebuild(graph, [&](Graph& to, const Node& n, int32_t) -> std::vector<Value> {
    if (std::holds_alternative<Input>(n.op) || std::holds_alternative<State>(n.op) || def(n.op).changes > 0) return copy_node(to, n);
    Node key = n;
    // What is computed again on purpose is not the same as what it repeats.
    key.name = is_repeated(n) ? kAgain : "";
    key.block = -1;
    auto [it, fresh] = seen.try_emplace(print(key, 0));
    if (fresh) it->second = copy_node(to, n);
    return it->second;
  });
}

}  // namespace

Graph simplify(const Graph& graph, const PassContext& context) {
  Graph g = graph;
  if (context.enabled("simplify", "identity")) g = rewrite_identity(g);
  if (context.enabled("simplify", "reshape")) g = rewrite_reshape(g);
  if (context.enabled("simplify", "cse")) g = rewrite_cse(g);
  if (context.enabled("simplify", "dead")) g = without_dead(g);
  return g;
}

}  // namespace motley
