#include "passes/in_place.h"

#include <algorithm>

#include "ops/def.h"
#include "ops/verify.h"

namespace motley {
namespace {

class Placing {
 public:
  Placing(const Graph& graph, const std::function<int(const Node&)>& in_place) : graph_(graph), in_place_(in_place), readers_(graph.nodes.size()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      where_.emplace_back(graph.nodes[i].out.size());
      readers_[i].resize(graph.nodes[i].out.size());
      for (Value v : graph.nodes[i].in) of(v).push_back(static_cast<int32_t>(i));
    }
    for (const auto& o : graph.outputs) of(o.value).push_back(kOutside);
  }

  std::vector<std::vector<Value>> run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const Node& n = graph_.nodes[i];
      if (!std::holds_alternative<Assign>(n.op)) continue;
      if (place(n.in[1], n.in[0], static_cast<int32_t>(i))) where_[i][0] = state_root(graph_, n.in[0]);
    }
    return std::move(where_);
  }

 private:
  std::vector<int32_t>& of(Value v) { return readers_[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; }

  // v, which node `reader` reads, in the memory of `state`: true if it is formed there.
  bool place(Value v, Value state, int32_t reader) {
    std::vector<Value> views;  // the same bytes
    for (;;) {
      if (of(v) != std::vector<int32_t>{reader} || graph_.type(v).dtype != graph_.type(state).dtype) return false;
      views.push_back(v);
      if (!std::holds_alternative<Reshape>(graph_.node(v).op)) break;
      reader = v.node;
      v = graph_.node(v).in[0];
    }
    const Node& maker = graph_.node(v);
    if (maker.in.empty() || static_cast<size_t>(v.result) < def(maker.op).changes) return false;
    const int kept = v.result == 0 ? in_place_(maker) : -1;
    // Whoever reads the state as it was is done before, or is the maker, at the one input where its kernel bears it.
    if (last_reader(state) > v.node) return false;
    for (size_t i = 0; i < maker.in.size(); ++i)
      if (viewed(maker.in[i]) == state && !(static_cast<int>(i) == kept && graph_.type(maker.in[i]) == maker.out[0])) return false;
    const Value root = state_root(graph_, state);
    for (Value view : views) where_[static_cast<size_t>(view.node)][static_cast<size_t>(view.result)] = root;
    // What the maker takes in place may be formed there as well, if the state is free even earlier.
    if (kept >= 0 && static_cast<size_t>(kept) < maker.in.size()) {
      const Value before = maker.in[static_cast<size_t>(kept)];
      if (before != state && graph_.type(before) == maker.out[0]) place(before, state, v.node);
    }
    return true;
  }

  // Of the bytes of v, which a reshape shows as well; not the assign that ends them.
  int32_t last_reader(Value v) {
    int32_t last = -1;
    for (int32_t r : of(v)) {
      if (r == kOutside) return r;
      const Node& n = graph_.nodes[static_cast<size_t>(r)];
      if (std::holds_alternative<Reshape>(n.op))
        last = std::max(last, last_reader({r, 0}));
      else if (!std::holds_alternative<Assign>(n.op) || n.in[0] != v)
        last = std::max(last, r);
    }
    return last;
  }
  Value viewed(Value v) const {
    while (std::holds_alternative<Reshape>(graph_.node(v).op)) v = graph_.node(v).in[0];
    return v;
  }

  static constexpr int32_t kOutside = INT32_MAX;  // an output
  const Graph& graph_;
  const std::function<int(const Node&)>& in_place_;
  std::vector<std::vector<std::vector<int32_t>>> readers_;  // by node and result
  std::vector<std::vector<Value>> where_;
};

}  // namespace

std::vector<std::vector<Value>> values_in_states(const Graph& graph, const std::function<int(const Node& node)>& in_place) {
  return Placing(graph, in_place).run();
}

}  // namespace motley
