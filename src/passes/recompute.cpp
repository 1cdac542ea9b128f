#include "passes/recompute.h"

#include <algorithm>
#include <map>

#include "ops/def.h"
#include "passes/autodiff.h"
#include "passes/pipeline.h"

namespace motley {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"none", "selective", "full"};

// Operations for each byte of the result, above which a value is cheaper kept than made again: a product has some hundred, a norm or an
// activation a few.
constexpr double kCheapIntensity = 8;

bool is_leaf(const Node& n) { return n.in.empty(); }

bool is_cheap(const Graph& graph, const Node& n) {
  Types in;
  for (Value v : n.in) in.push_back(graph.type(v));
  double bytes = 0;
  int64_t tokens = 1;
  for (const Type& t : n.out) bytes += static_cast<double>(max_bytes(t)), tokens = std::max(tokens, t.rank() > 0 ? t.dim(0).n : 1);
  // A learning graph has its sizes bound; attention reaches at most over all tokens.
  return cost_of({n.op, in, n.out, {}, static_cast<double>(tokens)}).flops <= kCheapIntensity * bytes;
}

class Recomputing {
 public:
  Recomputing(const Graph& graph, Recompute mode) : graph_(graph), kept_(graph.nodes.size(), 1), at_(graph.nodes.size()) {
    std::vector<char> leaves_block(graph.nodes.size(), 0);  // read by the forward part of another block, or an output
    for (const Node& n : graph.nodes)
      for (Value v : n.in)
        if (!is_backward(n) && graph.node(v).block != n.block) leaves_block[static_cast<size_t>(v.node)] = 1;
    for (const auto& o : graph.outputs) leaves_block[static_cast<size_t>(o.value.node)] = 1;
    for (const auto& u : graph.updates) leaves_block[static_cast<size_t>(u.value.node)] = 1;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const Node& n = graph.nodes[i];
      const bool can = n.block >= 0 && !is_leaf(n) && !is_backward(n) && def(n.op).changes == 0 && !leaves_block[i];
      if (can && (mode == Recompute::full || is_cheap(graph, n))) kept_[i] = 0;
    }
  }

  Graph run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      Node n = graph_.nodes[i];
      const bool backward = is_backward(n);
      for (Value& v : n.in) v = backward ? again(v) : mapped(v);
      at_[i] = copy_node(to_, n);
    }
    for (const auto& o : graph_.outputs) to_.outputs.push_back({mapped(o.value), o.name});
    for (const auto& u : graph_.updates) to_.updates.push_back({mapped(u.value), u.name});
    return without_dead(to_);
  }

 private:
  Value mapped(Value v) const { return at_[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; }

  // The value for a reader in the backward part, made right before its first one there.
  Value again(Value v) {
    if (kept_[static_cast<size_t>(v.node)]) return mapped(v);
    auto it = repeated_.find(v.node);
    if (it == repeated_.end()) {
      Node n = graph_.node(v);
      for (Value& input : n.in) input = again(input);
      n.name += kAgain;
      it = repeated_.emplace(v.node, copy_node(to_, n)).first;
    }
    return it->second[static_cast<size_t>(v.result)];
  }

  const Graph& graph_;
  std::vector<char> kept_;
  std::vector<std::vector<Value>> at_;
  std::map<int32_t, std::vector<Value>> repeated_;  // by node of the old graph
  Graph to_;
};

}  // namespace

bool is_repeated(const Node& node) { return node.name.ends_with(kAgain); }

Graph recompute(const Graph& learning, Recompute mode) { return mode == Recompute::none ? learning : Recomputing(learning, mode).run(); }

int64_t arena_bytes(const Graph& graph, const Target& target) { return compile(graph, target, {}).programs[0].arena_bytes; }

RecomputeChoice choose_recompute(const Graph& learning, const Target& target, int64_t budget_bytes) {
  RecomputeChoice choice{.mode = Recompute::full};
  for (Recompute mode : {Recompute::full, Recompute::selective, Recompute::none}) {
    auto& bytes = choice.arena_bytes[static_cast<size_t>(mode)] = arena_bytes(recompute(learning, mode), target);
    if (bytes > budget_bytes) continue;
    choice.mode = mode;
    choice.fits = true;
  }
  return choice;
}

std::string_view to_string(Recompute mode) { return kNames[static_cast<size_t>(mode)]; }

std::optional<Recompute> parse_recompute(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Recompute>(i);
  return std::nullopt;
}

}  // namespace motley
