#include "control/compare.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "control/session.h"
#include "ir/text.h"
#include "nn/families.h"
#include "ops/interpreter.h"

namespace motley {
namespace {

// float has 24 bits; sums over thousands of terms and a chain of layers lose some of them. A value stored or multiplied in a smaller format
// may round the other way when it lies near the middle, which costs up to one step of that format.
double rounding_bound(const Graph& graph, Dtype kv_type) {
  double bound = 2e-4;
  if (kv_type != Dtype::f32) bound = std::max(bound, kv_type == Dtype::f16 ? 4e-3 : 2e-2);
  for (const Node& n : graph.nodes)
    for (const auto& [field, value] : fields(n.op))
      if (field == "activation" && value == "q8_32") bound = std::max(bound, 5e-2);
  return bound;
}

double relative_error(std::span<const float> device, const std::vector<double>& reference) {
  double worst = 0, largest = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    largest = std::max(largest, std::abs(reference[i]));
    double d = std::abs(static_cast<double>(device[i]) - reference[i]);
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
  }
  return worst == 0 ? 0 : worst / std::max(largest, 1e-30);
}

}  // namespace

Comparison compare_with_reference(const ModelSource& source, const Plan& wanted, Device& device, const std::set<std::string>& skip,
                                  const std::vector<int32_t>& tokens) {
  if (reads_sources(source.config))
    fail(ErrorKind::usage, "compare", "{} has an encoder; only models that continue texts are compared value by value", source.name);
  Plan plan = wanted;
  auto count = static_cast<int64_t>(tokens.size());
  plan.sequences = 1, plan.batch_tokens = count, plan.rows = count, plan.context = std::max(plan.page_tokens, count), plan.pages = plan.blocks();
  Compiled compiled = compile(build_graph(source, plan), device.target(), {.token_ranges = {}, .skip = skip, .after = {}, .keep_values = true});
  const Program& program = compiled.programs[0];
  const Program* programs[] = {&program};
  load_states(device, programs, source, {});

  StepInputs step;
  for (int32_t i = 0; i < count; ++i) {
    step.tokens.push_back(tokens[static_cast<size_t>(i)]);
    step.positions.push_back(i), step.seq.push_back(0), step.slots.push_back(i), step.rows.push_back(i);
  }
  for (int32_t b = 0; b < plan.blocks(); ++b) step.tables.push_back(b);
  Sizes sizes = step.sizes(plan.blocks());

  std::vector<std::vector<float>> values;
  std::vector<std::span<float>> outputs;
  std::map<std::string, size_t> by_name;
  for (const ProgramOutput& o : program.outputs) {
    by_name[o.name] = values.size();
    values.emplace_back(static_cast<size_t>(num_elements(motley::bind(program.buffers[static_cast<size_t>(o.buffer)].type.shape, sizes))));
  }
  for (auto& v : values) outputs.emplace_back(v);
  device.prepare(program)->run(sizes, inputs_in_order(program, step), outputs);

  std::map<std::string, std::string> kernels;
  for (const Step& s : program.steps) kernels.emplace(s.name + std::string(op_name(s.op)), s.kernel);
  Comparison out;
  out.bound = rounding_bound(compiled.graph, plan.kv_type);
  Interpreter reference(compiled.graph, [&](const std::string& name) { return source.types(name) ? read_state(source, name) : Tensor(); });
  int32_t index = -1;
  reference.run(sizes, named_inputs(step), [&](const Node& node, std::span<const RefValue> results) {
    ++index;
    double error = -1;
    for (size_t r = 0; r < results.size(); ++r)
      if (auto it = by_name.find(fmt::format("%{}.{}", index, r)); it != by_name.end())
        error = std::max(error, relative_error(values[it->second], results[r].data));
    if (error < 0) return;
    std::string op(op_name(node.op));
    out.differences.push_back({index, node.name, op, kernels[node.name + op], error});
    if (error > out.bound && out.first < 0) out.first = static_cast<int>(out.differences.size()) - 1;
  });
  return out;
}

}  // namespace motley
