#include "ops/interpreter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "ir/text.h"
#include "ops/builder.h"
#include "quant/format.h"

namespace motley {
namespace {

template <class T>
void widen(const Tensor& tensor, std::vector<double>& out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, tensor.bytes() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
}

// An expansion as a graph of its own: the op's inputs become Input nodes.
Graph expansion(const Op& op, std::span<const Type> in_types) {
  Graph leaves;
  std::vector<Value> in;
  for (size_t i = 0; i < in_types.size(); ++i) in.push_back(leaves.push({Input{}, {}, {in_types[i]}, fmt::format("in{}", i), -1}));
  Builder b(std::move(leaves));
  auto results = def(op).expand(b, op, in);
  for (size_t r = 0; r < results.size(); ++r) b.output(results[r], fmt::format("out{}", r));
  return b.take();
}

}  // namespace

RefValue reference_value(const Tensor& tensor) {
  RefValue v{tensor.shape(), std::vector<double>(static_cast<size_t>(tensor.size())), tensor};
  switch (tensor.dtype()) {
    case Dtype::f64:
      widen<double>(tensor, v.data);
      break;
    case Dtype::i8:
      widen<int8_t>(tensor, v.data);
      break;
    case Dtype::i16:
      widen<int16_t>(tensor, v.data);
      break;
    case Dtype::i32:
      widen<int32_t>(tensor, v.data);
      break;
    case Dtype::i64:
      widen<int64_t>(tensor, v.data);
      break;
    case Dtype::u8:
    case Dtype::boolean:
      widen<uint8_t>(tensor, v.data);
      break;
    default: {
      std::vector<float> values(v.data.size());
      format(tensor.dtype()).unpack(tensor.bytes(), values.data(), tensor.size());
      std::ranges::copy(values, v.data.begin());
    }
  }
  return v;
}

std::vector<RefValue> evaluate(const Op& op, std::span<const Type> in_types, std::span<const RefValue* const> in, const Sizes& sizes) {
  const OpDef& d = def(op);
  Types out_types = infer_types(op, in_types);
  if (d.eval) {
    std::vector<RefValue> out;
    for (const Type& t : out_types) {
      Shape shape = bind(t.shape, sizes);
      auto n = static_cast<size_t>(num_elements(shape));
      out.push_back({std::move(shape), std::vector<double>(n, 0.0), {}});
    }
    EvalArgs args{op, in_types, out_types, in, out};
    d.eval(args);
    return out;
  }
  check(d.expand != nullptr, "an op has a reference or an expansion");
  return evaluate(expansion(op, in_types), in, sizes);
}

std::vector<RefValue> evaluate(const Graph& g, std::span<const RefValue* const> in, const Sizes& sizes) {
  std::vector<std::vector<RefValue>> values(g.nodes.size());
  size_t next_input = 0;
  auto value = [&](Value v) -> const RefValue* {
    const Node& n = g.node(v);
    if (std::holds_alternative<Input>(n.op)) return in[static_cast<size_t>(v.node)];
    return &values[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)];
  };
  for (size_t i = 0; i < g.nodes.size(); ++i) {
    const Node& n = g.nodes[i];
    if (std::holds_alternative<Input>(n.op)) {
      check(i == next_input++ && i < in.size(), "the inputs come first, and each has a value");
      continue;
    }
    Types types;
    std::vector<const RefValue*> inputs;
    for (Value v : n.in) types.push_back(g.type(v)), inputs.push_back(value(v));
    values[i] = evaluate(n.op, types, inputs, sizes);
  }
  std::vector<RefValue> out;
  for (const auto& o : g.outputs) out.push_back(*value(o.value));
  return out;
}

Interpreter::Interpreter(Graph graph, StateLoader load) : graph_(std::move(graph)), load_(std::move(load)), last_use_(graph_.nodes.size(), -1) {
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    for (Value v : graph_.nodes[i].in) last_use_[static_cast<size_t>(v.node)] = static_cast<int>(i);
  for (const auto& o : graph_.outputs) last_use_[static_cast<size_t>(o.value.node)] = static_cast<int>(graph_.nodes.size());
}

RefValue Interpreter::load_state(const Node& node) const {
  Tensor t = load_(node.name);
  if (t.empty()) {
    Shape shape = bind(node.out[0].shape, {});
    auto n = static_cast<size_t>(num_elements(shape));
    return {std::move(shape), std::vector<double>(n, 0.0), {}};
  }
  check(fixed(t.shape()) == node.out[0].shape && t.dtype() == node.out[0].dtype, "a state is loaded with the type the graph gives it");
  return reference_value(t);
}

const RefValue& Interpreter::changed(const std::string& state) const {
  auto it = changed_.find(state);
  if (it == changed_.end()) fail(ErrorKind::usage, "interpreter", "no run has changed a state '{}'", state);
  return it->second;
}

std::map<std::string, RefValue> Interpreter::run(const Sizes& sizes, const Inputs& inputs, const Observer& observe) {
  std::vector<std::vector<RefValue>> values(graph_.nodes.size());
  std::vector<std::vector<size_t>> dies_after(graph_.nodes.size());
  for (size_t i = 0; i < graph_.nodes.size(); ++i)
    if (last_use_[i] >= 0 && static_cast<size_t>(last_use_[i]) < graph_.nodes.size()) dies_after[static_cast<size_t>(last_use_[i])].push_back(i);

  for (size_t i = 0; i < graph_.nodes.size(); ++i) {
    const Node& n = graph_.nodes[i];
    if (std::holds_alternative<Input>(n.op)) {
      auto it = inputs.find(n.name);
      Shape shape = bind(n.out[0].shape, sizes);
      if (it == inputs.end()) fail(ErrorKind::usage, "interpreter", "input '{}' is missing", n.name);
      if (static_cast<int64_t>(it->second.size()) != num_elements(shape))
        fail(ErrorKind::usage, "interpreter", "input '{}' has {} elements, {} needs {}", n.name, it->second.size(), to_string(n.out[0]),
             num_elements(shape));
      std::vector<double> data(it->second.begin(), it->second.end());
      if (n.out[0].dtype == Dtype::f32) std::ranges::transform(it->second, data.begin(), [](int32_t word) { return std::bit_cast<float>(word); });
      values[i].push_back({std::move(shape), std::move(data), {}});
    } else if (std::holds_alternative<State>(n.op)) {
      auto kept = changed_.find(n.name);
      values[i].push_back(kept != changed_.end() ? kept->second : load_state(n));
    } else {
      Types types;
      std::vector<const RefValue*> in;
      for (Value v : n.in) types.push_back(graph_.type(v)), in.push_back(&values[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]);
      values[i] = evaluate(n.op, types, in, sizes);
    }
    if (observe) observe(n, values[i]);
    for (const auto& u : graph_.updates)
      if (static_cast<size_t>(u.value.node) == i) changed_[u.name] = values[i][static_cast<size_t>(u.value.result)];
    for (size_t dead : dies_after[i]) values[dead].clear();
  }
  std::map<std::string, RefValue> out;
  for (const auto& o : graph_.outputs) out[o.name] = values[static_cast<size_t>(o.value.node)][static_cast<size_t>(o.value.result)];
  return out;
}

}  // namespace motley
