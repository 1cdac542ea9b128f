#include "run.h"

#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"
#include "ir/text.h"
#include "ops/interpreter.h"
#include "passes/lower.h"
#include "passes/memory.h"
#include "passes/schedule.h"
#include "quant/format.h"

namespace motley::exam {
namespace {

// The type of an input when the case has so many rows.
Type bound_type(const CaseInput& in, int64_t rows) {
  Type t = in.type;
  if (in.per_row()) t.shape[0] = {rows};
  return t;
}

Tensor fill_tensor(const CaseInput& in, int64_t rows, int64_t first) {
  Type type = bound_type(in, rows);
  Tensor t = Tensor::zeros(type.dtype, bind(type.shape, {}));
  int64_t n = t.size(), offset = in.per_row() && rows > 0 ? first * (n / rows) : 0;
  if (type.dtype == Dtype::i32) {
    auto to = t.mutable_data<int32_t>();
    for (int64_t i = 0; i < n; ++i) to[static_cast<size_t>(i)] = static_cast<int32_t>(in.value(offset + i));
    return t;
  }
  std::vector<float> values(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) values[static_cast<size_t>(i)] = static_cast<float>(in.value(offset + i));
  format(type.dtype).pack(values.data(), t.mutable_bytes(), n);
  return t;
}

Tensor make_tensor(const CaseInput& in, int64_t rows, int64_t first) {
  if (in.value.key.empty()) return fill_tensor(in, rows, first);
  static std::map<std::string, Tensor> made;
  Tensor& t = made[fmt::format("{} {} {}", in.value.key, to_string(bound_type(in, rows)), in.per_row() ? first : 0)];
  if (t.empty()) t = fill_tensor(in, rows, first);
  return t;
}

// The op alone: i32 inputs are given anew each step, everything else is a state. Results that are not f32 are read through a cast, or
// row by row where they are blocks.
struct Question {
  Graph graph;
  std::vector<Tensor> tensors;
  std::vector<int32_t> row_ids;  // of the extra input that reads a result of blocks
};

Question make_question(const Case& c, int64_t rows, int64_t first) {
  Question q;
  Types types;
  std::vector<Value> in;
  for (size_t i = 0; i < c.in.size(); ++i) {
    Type t = bound_type(c.in[i], rows);
    q.tensors.push_back(make_tensor(c.in[i], rows, first));
    Op leaf = t.dtype == Dtype::i32 ? Op{Input{}} : Op{State{}};
    in.push_back(q.graph.push({leaf, {}, {t}, fmt::format("in{}", i), -1}));
    types.push_back(t);
  }
  Types out = infer_types(c.op, types);
  Value node = q.graph.push({c.op, in, out, "asked", -1});
  for (size_t r = 0; r < def(c.op).changes; ++r) q.graph.updates.push_back({{node.node, static_cast<int32_t>(r)}, fmt::format("in{}", r)});
  for (size_t r = 0; r < out.size(); ++r) {
    Value v{node.node, static_cast<int32_t>(r)};
    if (is_quantised(out[r].dtype)) {
      int64_t width = out[r].dim(-1).n, count = max_elements(out[r].shape) / width;
      Type flat{out[r].dtype, {{count}, {width}}}, ids{Dtype::i32, {{count}}};
      Value table = q.graph.push({Reshape{flat.shape}, {v}, {flat}, "flat", -1}), id = q.graph.push({Input{}, {}, {ids}, "row_ids", -1});
      v = q.graph.push({Gather{}, {table, id}, {{Dtype::f32, flat.shape}}, "rows", -1});
      for (int64_t i = 0; i < count; ++i) q.row_ids.push_back(static_cast<int32_t>(i));
    } else if (out[r].dtype != Dtype::f32) {
      v = q.graph.push({Cast{Dtype::f32}, {v}, {{Dtype::f32, out[r].shape}}, "cast", -1});
    }
    q.graph.outputs.push_back({v, fmt::format("out{}", r)});
  }
  return q;
}

std::vector<int32_t> ints(const Tensor& t) { return {t.data<int32_t>().begin(), t.data<int32_t>().end()}; }

}  // namespace

Ready make_ready(Device& device, const Case& c, int64_t rows, int64_t first) {
  Question q = make_question(c, rows, first);
  Program program = lower(q.graph, device.target(), 0, false);
  plan_memory(program);
  place_barriers(program);

  Ready r;
  r.kernel = program.steps[0].kernel;
  for (const ProgramState& s : program.states) {
    const Tensor& t = q.tensors[static_cast<size_t>(std::stoi(s.name.substr(2)))];
    device.upload(s.name, s.type, s.layout,
                  {.read = [&](uint64_t offset, std::span<std::byte> to) { std::memcpy(to.data(), t.bytes() + offset, to.size()); }});
  }
  for (const ProgramInput& in : program.inputs)
    r.inputs.push_back(in.name == "row_ids" ? q.row_ids : ints(q.tensors[static_cast<size_t>(std::stoi(in.name.substr(2)))]));
  for (const ProgramOutput& o : program.outputs) {
    // NaN everywhere: an element that is not written is found.
    auto n = static_cast<size_t>(max_elements(program.buffers[static_cast<size_t>(o.buffer)].type.shape));
    r.outputs.emplace_back(n, NAN);
  }
  r.executable = device.prepare(program);
  return r;
}

void Ready::run() {
  std::vector<std::span<const int32_t>> in(inputs.begin(), inputs.end());
  std::vector<std::span<float>> out(outputs.begin(), outputs.end());
  executable->run(sizes, in, out);
}

Answer ask(Device& device, const Case& c, int64_t rows, int64_t first) {
  Ready r = make_ready(device, c, rows, first);
  r.run();
  return {r.kernel, std::move(r.outputs)};
}

Reference reference(const Case& c, int64_t rows, int64_t first) {
  Question q = make_question(c, rows, first);
  Reference ref;
  Interpreter interpreter(q.graph, [&](const std::string& name) { return q.tensors[static_cast<size_t>(std::stoi(name.substr(2)))]; });
  Interpreter::Inputs inputs;
  for (size_t i = 0; i < c.in.size(); ++i)
    if (q.tensors[i].dtype() == Dtype::i32) inputs[fmt::format("in{}", i)] = ints(q.tensors[i]);
  if (!q.row_ids.empty()) inputs["row_ids"] = q.row_ids;
  auto out = interpreter.run({}, inputs);
  for (const Tensor& t : q.tensors) ref.in.push_back(reference_value(t));
  for (const auto& o : q.graph.outputs) ref.out.push_back(std::move(out[o.name]));
  return ref;
}

std::string disagreement(const Case& c, const Reference& expected, const Answer& got) {
  Checked checked;
  for (const RefValue& v : expected.in) checked.in.push_back(&v);
  for (const RefValue& v : expected.out) checked.out.push_back(&v);
  double worst = 1;
  std::string text;
  for (size_t r = 0; r < expected.out.size(); ++r) {
    const auto& y = expected.out[r].data;
    std::vector<double> bounds = c.bound(checked, r);
    if (y.size() != got.results[r].size()) return fmt::format("result {} has {} elements instead of {}", r, got.results[r].size(), y.size());
    for (size_t i = 0; i < y.size(); ++i) {
      double x = got.results[r][i], error = std::fabs(x - y[i]), bound = bounds[i];
      if (x == y[i] || (std::isnan(x) && std::isnan(y[i])) || error <= bound) continue;
      double ratio = std::isnan(error) || bound == 0 ? INFINITY : error / bound;
      if (!text.empty() && !(ratio > worst)) continue;
      worst = ratio;
      text = fmt::format("result {} element {} of {}: {} instead of {}, error {:.3g}, bound {:.3g}", r, i, y.size(), x, y[i], error, bound);
    }
  }
  return text;
}

}  // namespace motley::exam
