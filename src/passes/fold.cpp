// What is fixed when a model only evaluates is folded into what is before it, while convolutions and pools are still whole:
//   batch_norm  batch_norm_fixed(conv1d(x, w) + c, g, b, m, v)  -> conv1d(x, w s) + ((c - m) s + b), s = g / sqrt(v + eps)
//   pool_act    pool(relu(x)) kind=max                          -> pool(x) kind=max finish=relu
//
// The first works on as many elements as the weight has instead of as the result has, and leaves no step of batch norm. Statistics may be states that
// a training Program changes beside this one, so s is formed in the step. It does not apply where batch norm learns (it is another op then: its
// statistics are those of the batch), nor where somebody else reads the convolution, as a gradient does.
//
// The second holds for activations that never fall, and bit for bit for relu alone: those that are computed by polynomials rise only up to their
// rounding. An average of activations is not the activation of an average.
#include <optional>

#include "ops/builder.h"
#include "ops/def.h"
#include "passes/pass.h"

namespace motley {
namespace {

// A convolution and what lies between it and its batch norm: at most one bias, and slices of steps, in the order of computation.
struct Chain {
  std::vector<int32_t> nodes;  // the convolution first
  Value bias;
};

std::optional<Chain> chain_before(const Graph& graph, const std::vector<int>& uses, Value v) {
  const Dim channels = graph.type(v).dim(-1);
  Chain chain;
  for (;;) {
    const Node& n = graph.node(v);
    if (uses[static_cast<size_t>(v.node)] != 1) return std::nullopt;
    chain.nodes.insert(chain.nodes.begin(), v.node);
    if (std::holds_alternative<Conv1d>(n.op)) return chain;
    if (const auto* slice = std::get_if<Slice>(&n.op); slice && slice->axis != -1 && slice->axis != n.out[0].rank() - 1) {
      v = n.in[0];
    } else if (std::holds_alternative<Add>(n.op) && !chain.bias.valid() && graph.type(n.in[1]) == Type{Dtype::f32, {channels}}) {
      chain.bias = n.in[1];
      v = n.in[0];
    } else {
      return std::nullopt;
    }
  }
}

Graph fold_batch_norm(const Graph& graph) {
  const std::vector<int> uses = count_uses(graph);
  std::vector<std::optional<Chain>> chains(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (std::holds_alternative<BatchNormFixed>(graph.nodes[i].op)) chains[i] = chain_before(graph, uses, graph.nodes[i].in[0]);
  std::vector<Value> now(graph.nodes.size());  // of nodes that have one result: every one that a chain reads
  return rebuild(graph, [&](Graph& to, const Node& n, int32_t old) -> std::vector<Value> {
    const auto at = static_cast<size_t>(old);
    if (!chains[at]) {
      // What is inside a chain is said anew behind it; its old form is left without readers.
      auto values = copy_node(to, n);
      now[at] = values[0];
      return values;
    }
    const Chain& chain = *chains[at];
    const Node& convolution = graph.nodes[static_cast<size_t>(chain.nodes[0])];
    auto mapped = [&](Value v) { return Value{now[static_cast<size_t>(v.node)].node, v.result}; };
    Builder b(std::move(to));
    b.set_origin(convolution.name, convolution.block);
    const Value w = mapped(convolution.in[1]), shift = n.in[2], mean = n.in[3];
    const Value s = b.mul(n.in[1], b.emit(Rsqrt{}, {b.add(n.in[4], b.scalar(std::get<BatchNormFixed>(n.op).eps))}));
    const Value scaled = b.mul(w, b.reshape(s, {b.type(w).dim(0), {1}, {1}}));
    const Value centre = chain.bias.valid() ? b.sub(mapped(chain.bias), mean) : b.emit(Neg{}, {mean});
    Value y = b.emit(convolution.op, {mapped(convolution.in[0]), scaled});
    b.set_origin(n.name, n.block);
    y = b.add(y, b.add(b.mul(centre, s), shift));  // next to the product, which can take it
    for (size_t i = 1; i < chain.nodes.size(); ++i)
      if (const Node& between = graph.nodes[static_cast<size_t>(chain.nodes[i])]; std::holds_alternative<Slice>(between.op)) {
        b.set_origin(between.name, between.block);
        y = b.emit(between.op, {y});
      }
    to = b.release();
    now[at] = y;
    return {y};
  });
}

Graph fold_pool(const Graph& graph, const Target& target) {
  const std::vector<int> uses = count_uses(graph);
  return rebuild(graph, [&](Graph& to, const Node& n, int32_t old) -> std::vector<Value> {
    const auto* pool = std::get_if<Pool>(&n.op);
    if (!pool || pool->kind != PoolKind::max || pool->finish != Finish::none) return copy_node(to, n);
    const Value before = graph.nodes[static_cast<size_t>(old)].in[0];
    const auto* act = std::get_if<Act>(&graph.node(before).op);
    if (!act || act->kind != Activation::relu || uses[static_cast<size_t>(before.node)] != 1) return copy_node(to, n);
    Node fused = n;
    std::get<Pool>(fused.op).finish = finish_of(act->kind);
    fused.in[0] = to.node(n.in[0]).in[0];
    const Types in = {to.type(fused.in[0])};
    const std::vector<std::string_view> layouts = {kPlainLayout};
    if (!choose_kernel(target, {fused.op, in, layouts, fused.out}).kernel) return copy_node(to, n);
    return copy_node(to, fused);
  });
}

}  // namespace

Graph fold(const Graph& graph, const PassContext& context) {
  Graph g = graph;
  if (context.enabled("fold", "batch_norm")) g = without_dead(fold_batch_norm(g));
  if (context.enabled("fold", "pool_act")) g = without_dead(fold_pool(g, context.target));
  return g;
}

}  // namespace motley
