// Neighbouring nodes become one op that reads and writes memory once:
//   glu           act(gate) * up                        -> glu(gate, up)
//   glu_matmul    glu(matmul(x, w1), matmul(x, w3))     -> glu_matmul(x, w1, w3)
//   head_loss     cross_entropy(matmul(x, w), targets)  -> head_loss(x, w, targets)          (head_loss.h)
//   matmul_scale  matmul(x, w) * number                 -> fused_matmul(x, w) scale=number
//   matmul_add    matmul(x, w) + bias or residual       -> fused_matmul(x, w, bias or residual)
//   matmul_act    act(matmul(x, w))                     -> fused_matmul(x, w) finish=act
//                 act_grad(u, matmul(x, w))             -> fused_matmul(x, w, u) finish=act slope=true
//   add_norm      s = x + y; norm(s, w)                 -> s, n = add_norm(x, y, w), of rms_norm and layer_norm
//   sum_add       c + outer_sum(a, b)                   -> outer_sum(a, b, c), and the same of scatter_add
// Each applies only where the values inside have no other reader and the device has a kernel for the result. An activation whose argument is
// read again, as learning does, is taken into the product as a second result.
//
// The product takes what it can before a norm takes the sum: y = product + x read and written once is 4 bytes an element less than a
// product that is written and then added.
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

// What a rewrite found: old node i becomes fused[i], or its only result is now a result of the new form of an earlier old node.
struct Found {
  explicit Found(const Graph& graph) : fused(graph.nodes.size()), same_as(graph.nodes.size()) {}
  std::vector<std::optional<Node>> fused;  // inputs are values of the old graph that come before it
  std::vector<Value> same_as;
};

Graph replace(const Graph& graph, const Found& found) {
  Graph to;
  std::vector<std::vector<Value>> at(graph.nodes.size());
  auto mapped = [&](Value v) { return at[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; };
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (Value same = found.same_as[i]; same.valid()) {
      at[i] = {{at[static_cast<size_t>(same.node)][0].node, same.result}};
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

// A product, with what was taken into it already.
std::optional<FusedMatmul> product_of(const Op& op) {
  if (const auto* m = std::get_if<Matmul>(&op)) return FusedMatmul{.transpose_w = m->transpose_w, .activation = m->activation};
  if (const auto* m = std::get_if<FusedMatmul>(&op)) return *m;
  return std::nullopt;
}
bool is_finished(const FusedMatmul& m) { return m.finish != Finish::none || m.residual || m.keep; }

bool is_number(const Graph& graph, Value v) {
  const auto* c = std::get_if<Const>(&graph.node(v).op);
  return c && graph.type(v) == Type{Dtype::f32, {{1}}};
}

// The product that node n can take into itself at input `side`, with n's other input: what the two become.
struct Taken {
  FusedMatmul op;
  std::vector<Value> in;
};
using Take = std::optional<Taken> (*)(const Graph& graph, const Node& n, size_t side, FusedMatmul product, std::vector<Value> in);

std::optional<Taken> take_scale(const Graph& graph, const Node& n, size_t side, FusedMatmul m, std::vector<Value> in) {
  if (!std::holds_alternative<Mul>(n.op) || !is_number(graph, n.in[1 - side]) || m.bias || m.scale != 1 || is_finished(m)) return std::nullopt;
  m.scale = std::get<Const>(graph.node(n.in[1 - side]).op).values[0];
  return Taken{m, std::move(in)};
}

std::optional<Taken> take_sum(const Graph& graph, const Node& n, size_t side, FusedMatmul m, std::vector<Value> in) {
  if (!std::holds_alternative<Add>(n.op) || m.residual || m.keep) return std::nullopt;
  const Value other = n.in[1 - side];
  if (graph.type(other) == Type{Dtype::f32, {n.out[0].dim(-1)}} && n.out[0].rank() > 1) {
    if (m.bias || is_finished(m)) return std::nullopt;
    m.bias = true;
    in.insert(in.begin() + 2, other);
  } else {
    m.residual = true;
    in.push_back(other);
  }
  return Taken{m, std::move(in)};
}

std::optional<Taken> take_activation(const Graph&, const Node& n, size_t side, FusedMatmul m, std::vector<Value> in) {
  if (is_finished(m)) return std::nullopt;
  if (const auto* act = std::get_if<Act>(&n.op)) {
    m.finish = finish_of(act->kind);
    return Taken{m, std::move(in)};
  }
  const auto* grad = std::get_if<ActGrad>(&n.op);
  if (!grad || side != 1) return std::nullopt;
  m.finish = finish_of(grad->kind), m.slope = true;
  in.push_back(n.in[0]);
  return Taken{m, std::move(in)};
}

Graph fuse_into_product(const Graph& graph, const Target& target, Take take) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    for (size_t side = 0; side < n.in.size() && !found.fused[i] && !found.same_as[i].valid(); ++side) {
      const Value v = n.in[side];
      const auto product = product_of(graph.node(v).op);
      if (!product || graph.type(v) != n.out[0] || found.fused[static_cast<size_t>(v.node)]) continue;
      auto taken = take(graph, n, side, *product, graph.node(v).in);
      if (!taken) continue;
      if (site.uses[static_cast<size_t>(v.node)] == 1) {
        found.fused[i] = site.node(taken->op, taken->in, n);
      } else if (std::holds_alternative<Act>(n.op)) {  // the argument stays: the product's first result
        taken->op.keep = true;
        auto& at_product = found.fused[static_cast<size_t>(v.node)];
        at_product = site.node(taken->op, taken->in, graph.node(v));
        if (at_product) found.same_as[i] = {v.node, 1};
      }
    }
  }
  return replace(graph, found);
}

// The sum stays alive as the residual, so the add becomes the first result and the norm the second.
Graph fuse_add_norm(const Graph& graph, const Target& target) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    const auto* rms = std::get_if<RmsNorm>(&n.op);
    const auto* layer = std::get_if<LayerNorm>(&n.op);
    if (!rms && !layer) continue;
    const Value sum = n.in[0];
    const Node& add = graph.node(sum);
    auto& fused = found.fused[static_cast<size_t>(sum.node)];
    if (!std::holds_alternative<Add>(add.op) || fused || graph.type(add.in[0]) != graph.type(add.in[1])) continue;
    std::vector<Value> in = {add.in[0], add.in[1]};
    in.insert(in.end(), n.in.begin() + 1, n.in.end());
    if (std::ranges::any_of(in, [&](Value v) { return v.node > sum.node; })) continue;
    fused = site.node(rms ? Op(AddRmsNorm{rms->eps, rms->offset}) : Op(AddLayerNorm{layer->eps}), in, add);
    if (fused) found.same_as[i] = {sum.node, 1};
  }
  return replace(graph, found);
}

// The sum is formed where the other one is, if what it is added to is there by then: a's and b's lives are not prolonged.
Graph fuse_sum_add(const Graph& graph, const Target& target) {
  Site site(graph, target);
  Found found(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    if (!std::holds_alternative<Add>(n.op)) continue;
    for (size_t side = 0; side < 2 && !found.same_as[i].valid(); ++side) {
      const Value v = n.in[side], other = n.in[1 - side];
      const Node& sum = graph.node(v);
      const bool is_sum = std::holds_alternative<OuterSum>(sum.op) || std::holds_alternative<ScatterAdd>(sum.op);
      if (!is_sum || sum.in.size() != 2 || site.uses[static_cast<size_t>(v.node)] != 1 || other.node >= v.node) continue;
      auto fused = site.node(sum.op, {sum.in[0], sum.in[1], other}, sum);
      if (!fused) continue;
      found.fused[static_cast<size_t>(v.node)] = std::move(fused);
      found.same_as[i] = {v.node, 0};
    }
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
  auto into_product = [&](const char* rewrite, Take take) {
    if (context.enabled("fuse", rewrite)) g = drop_unread(fuse_into_product(g, context.target, take), context);
  };
  if (context.enabled("fuse", "glu")) g = drop_unread(fuse_glu(g, context.target), context);
  if (context.enabled("fuse", "glu_matmul")) g = drop_unread(fuse_glu_matmul(g, context.target), context);
  if (context.enabled("fuse", "head_loss"))
    g = fuse_head_loss(g, [&](const Node& n, const Graph& of) { return takes_head_loss(of, n, context.target); });
  into_product("matmul_scale", take_scale);
  into_product("matmul_add", take_sum);
  into_product("matmul_act", take_activation);
  into_product("matmul_add", take_sum);  // to what the activation made
  if (context.enabled("fuse", "add_norm")) g = drop_unread(fuse_add_norm(g, context.target), context);
  if (context.enabled("fuse", "sum_add")) g = drop_unread(fuse_sum_add(g, context.target), context);
  return g;
}

}  // namespace motley
