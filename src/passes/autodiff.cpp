#include "passes/autodiff.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "ir/text.h"
#include "ops/def.h"

namespace motley {
namespace {

// Slices of one value that leave nothing out send their gradients back as one concat instead of padding each to the whole.
Value join_pads(Builder& b, std::vector<Value> parts) {
  std::map<int64_t, Value> by_begin;
  int axis = 0;
  for (Value v : parts) {
    const auto* pad = std::get_if<Pad>(&b.graph().node(v).op);
    if (!pad) return {};
    int front = pad->axis < 0 ? pad->axis + b.type(v).rank() : pad->axis;
    if (!by_begin.empty() && front != axis) return {};
    axis = front;
    by_begin[pad->before] = b.graph().node(v).in[0];
  }
  std::vector<Value> in;
  int64_t at = 0;
  for (auto [begin, v] : by_begin) {
    if (begin != at) return {};
    at += b.type(v).dim(axis).n;
    in.push_back(v);
  }
  if (in.size() != parts.size() || at != b.type(parts[0]).dim(axis).n) return {};
  return b.emit(Concat{axis}, in);
}

Value sum_of(Builder& b, const std::vector<Value>& parts) {
  if (parts.empty()) return {};
  if (parts.size() > 1)
    if (Value joined = join_pads(b, parts); joined.valid()) return joined;
  Value sum = parts[0];
  for (size_t i = 1; i < parts.size(); ++i) sum = b.add(sum, parts[i]);
  return sum;
}

[[noreturn]] void refuse(const Node& n, std::string_view why) {
  fail(ErrorKind::usage, "autodiff", "{} \"{}\" has no gradient: {}", op_name(n.op), n.name, why);
}

}  // namespace

std::vector<char> dependents(const Graph& graph, const std::function<bool(const Node& node)>& of) {
  std::vector<char> depends(graph.nodes.size(), 0);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    depends[i] = of(n) || (!is_backward(n) && std::ranges::any_of(n.in, [&](Value v) { return depends[static_cast<size_t>(v.node)] != 0; }));
  }
  return depends;
}

std::vector<Value> gradients(Builder& b, Value result, Value seed, std::span<const Value> of) {
  std::vector<char> sources(b.graph().nodes.size(), 0);
  for (Value v : of) sources[static_cast<size_t>(v.node)] = 1;
  const Node* first = b.graph().nodes.data();
  auto depends = dependents(b.graph(), [&](const Node& n) { return sources[static_cast<size_t>(&n - first)] != 0; });

  std::map<std::pair<int32_t, int32_t>, std::vector<Value>> parts;  // of each value's gradient, in the order of its readers from the last
  parts[{result.node, result.result}].push_back(seed);
  for (int32_t i = result.node; i >= 0; --i) {
    if (!depends[static_cast<size_t>(i)] || sources[static_cast<size_t>(i)]) continue;
    const Node n = b.graph().nodes[static_cast<size_t>(i)];  // a copy: the graph grows
    b.set_origin(fmt::format("{}{}", n.name, kBackward), n.block);
    std::vector<Value> out, grad;
    bool any = false;
    for (int32_t r = 0; r < static_cast<int32_t>(n.out.size()); ++r) {
      out.push_back({i, r});
      auto it = parts.find({i, r});
      grad.push_back(it == parts.end() ? Value{} : sum_of(b, it->second));
      any = any || grad.back().valid();
    }
    if (!any) continue;
    const OpDef& d = def(n.op);
    if (!d.gradient) refuse(n, d.no_gradient ? d.no_gradient : "it is made of simpler ops and was not expanded");
    std::vector<char> wanted;
    for (Value v : n.in) wanted.push_back(depends[static_cast<size_t>(v.node)]);
    auto to = d.gradient(b, {n.op, n.in, out, grad, wanted});
    for (size_t j = 0; j < n.in.size(); ++j)
      if (wanted[j] && to[j].valid()) parts[{n.in[j].node, n.in[j].result}].push_back(to[j]);
  }
  std::vector<Value> all;
  for (Value v : of) {
    const Node& n = b.graph().node(v);
    b.set_origin(fmt::format("{}{}", n.name, kBackward), n.block);
    all.push_back(sum_of(b, parts[{v.node, v.result}]));
  }
  return all;
}

Graph expand_for_gradient(const Graph& graph, const std::function<bool(const Node& node)>& of) {
  Graph g = graph;
  for (bool changed = true; changed;) {
    changed = false;
    auto depends = dependents(g, of);
    g = rebuild(g, [&](Graph& to, const Node& n, int32_t old) -> std::vector<Value> {
      const OpDef& d = def(n.op);
      if (!depends[static_cast<size_t>(old)]) return copy_node(to, n);
      if (d.learning) {
        std::vector<char> wanted;
        for (Value v : g.nodes[static_cast<size_t>(old)].in) wanted.push_back(depends[static_cast<size_t>(v.node)]);
        Builder b(std::move(to));
        b.set_origin(n.name, n.block);
        auto values = b.emit_all(d.learning(n.op, wanted), n.in);
        to = b.release();
        return values;
      }
      if (d.gradient || d.no_gradient || !d.expand) return copy_node(to, n);
      changed = true;
      Builder b(std::move(to));
      b.set_origin(n.name, n.block);
      auto values = d.expand(b, n.op, n.in);
      to = b.release();
      return values;
    });
  }
  return g;
}

bool is_backward(const Node& node) { return node.name.ends_with(kBackward); }

Graph autodiff(const Graph& graph, const AutodiffOptions& options) {
  auto learns = [&](const Node& n) {
    return std::holds_alternative<State>(n.op) && !is_quantised(n.out[0].dtype) && is_float(n.out[0].dtype) &&
           (!options.learns || options.learns(n.name));
  };
  if (options.learns)
    for (const Node& n : graph.nodes)
      if (std::holds_alternative<State>(n.op) && options.learns(n.name) && !learns(n))
        fail(ErrorKind::usage, "autodiff", "state '{}' is {}: such values are not learned; learn what is added to them", n.name, to_string(n.out[0]));
  Builder b(expand_for_gradient(graph, learns));

  Value loss;
  for (const auto& o : b.graph().outputs)
    if (o.name == options.loss) loss = o.value;
  if (!loss.valid()) fail(ErrorKind::usage, "autodiff", "the graph has no output '{}' to differentiate", options.loss);
  if (b.type(loss) != Type{Dtype::f32, {{1}}}) fail(ErrorKind::usage, "autodiff", "the loss is one number, f32[1], not {}", to_string(b.type(loss)));
  std::vector<Value> states;
  for (size_t i = 0; i < b.graph().nodes.size(); ++i)
    if (learns(b.graph().nodes[i])) states.push_back({static_cast<int32_t>(i), 0});

  b.set_origin(fmt::format("{}{}", options.loss, kBackward), -1);
  Value seed = options.scaled ? b.step_input("loss_scale", {Dtype::f32, {{1}}}) : b.scalar(1);
  auto grads = gradients(b, loss, seed, states);
  for (size_t i = 0; i < states.size(); ++i) {
    const std::string name = b.graph().node(states[i]).name;
    if (grads[i].valid())
      b.output(grads[i], std::string(kGradientOutput) + name);
    else if (options.learns)
      fail(ErrorKind::usage, "autodiff", "the loss does not depend on state '{}', which was to learn", name);
  }
  return without_dead(b.release());
}

std::vector<LearnedState> take_gradients(Graph& graph) {
  std::vector<LearnedState> all;
  std::vector<Output> rest;
  for (const auto& o : graph.outputs) {
    if (!o.name.starts_with(kGradientOutput)) {
      rest.push_back(o);
      continue;
    }
    LearnedState l{{}, o.value, o.name.substr(kGradientOutput.size())};
    for (size_t i = 0; i < graph.nodes.size(); ++i)
      if (std::holds_alternative<State>(graph.nodes[i].op) && graph.nodes[i].name == l.name) l.state = {static_cast<int32_t>(i), 0};
    if (!l.state.valid()) fail(ErrorKind::usage, "autodiff", "output '{}' is the gradient of no state", o.name);
    if (graph.type(l.state).dtype != Dtype::f32)
      fail(ErrorKind::usage, "update", "state '{}' is {}; what learns is f32", l.name, to_string(graph.type(l.state)));
    all.push_back(std::move(l));
  }
  if (all.empty()) fail(ErrorKind::usage, "update", "the graph has no gradients; autodiff makes them");
  graph.outputs = std::move(rest);
  return all;
}

}  // namespace motley
