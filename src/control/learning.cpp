#include "control/learning.h"

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "ir/text.h"
#include "ops/def.h"
#include "passes/accumulate.h"
#include "passes/autodiff.h"
#include "passes/head_loss.h"
#include "passes/layouts.h"
#include "passes/pipeline.h"
#include "quant/format.h"

namespace motley {
namespace {

double operations_of(const Graph& graph, double context) {
  double sum = 0;
  for (const Node& n : graph.nodes) {
    if (!is_product(n.op)) continue;
    Types in;
    for (Value v : n.in) in.push_back(graph.type(v));
    sum += cost_of({n.op, in, n.out, {}, context}).flops;
  }
  return sum;
}

// The graph with the averages of those weights that have one.
Graph with_averages(const Graph& graph, const Program& close) {
  Graph g = graph;
  for (Node& n : g.nodes) {
    const std::string average = std::string(kAverageState) + n.name;
    if (std::holds_alternative<State>(n.op) && std::ranges::find(close.states, average, &ProgramState::name) != close.states.end()) n.name = average;
  }
  return g;
}

// The loss with the head, in the form that the step takes: where gradients are formed, that which forms them.
Graph with_head_loss(const Graph& graph, const Target& target) {
  return fuse_head_loss(graph, [&](const Node& n, const Graph& of) {
    const std::vector<std::string_view> plain(n.in.size(), kPlainLayout);
    Types in;
    for (Value v : n.in) in.push_back(of.type(v));
    return choose_kernel(target, {n.op, in, plain, n.out}).kernel != nullptr;
  });
}

// What a step computes before the optimizer: the loss, and a gradient for each state that learns.
Graph learning_graph(const Graph& training, const Target& target, const LearningOptions& o) {
  const bool scaled = o.precision.computes_in(Dtype::f16), small = scaled || o.precision.computes_in(Dtype::bf16);
  AdversarialOptions adversary = o.adversarial;
  adversary.scaled = scaled;
  Graph g = autodiff(adversarial(with_head_loss(training, target), adversary), {.learns = o.learns, .scaled = scaled});
  g = recompute(g, o.recompute);
  return small ? mixed_precision(g, o.precision) : g;
}

// The block of an output "peak 3".
std::optional<int> block_of(std::string_view output, std::string_view kind) {
  if (!output.starts_with(kind)) return std::nullopt;
  auto block = parse_int(output.substr(kind.size()));
  return block ? std::optional(static_cast<int>(*block)) : std::nullopt;
}

// The tensor as the Program's state has it: learned weights are f32 whatever they were stored as.
Tensor as_type(const Tensor& t, const Type& type, const std::string& name) {
  if (t.dtype() == type.dtype) return t;
  check(type.dtype == Dtype::f32, "only f32 states are made from other types");
  Tensor out = Tensor::zeros(Dtype::f32, t.shape());
  if (t.shape().empty()) fail(ErrorKind::file, "learn", "state '{}' is one number of type {}", name, to_string(Type{t.dtype(), {}}));
  const int64_t row = t.dim(-1);
  for (int64_t r = 0; r < t.size() / std::max<int64_t>(row, 1); ++r)
    format(t.dtype()).unpack(t.bytes() + r * row_bytes(t.dtype(), row), out.mutable_data<float>().data() + r * row, row);
  return out;
}

}  // namespace

LearningPrograms compile_learning(const Graph& training, const Graph& evaluation, const Target& target, const LearningOptions& options) {
  auto program = [&](const Graph& graph) { return compile(graph, target, {.token_ranges = {}, .skip = options.skip, .after = {}}).programs[0]; };
  const Graph learning = learning_graph(training, target, options);
  LearningPrograms p;
  p.operations = operations_of(simplify(learning, {target, options.skip}), options.context);  // what two differentiations share counts once
  p.first = program(accumulate(learning, true));
  if (options.several) p.more = program(accumulate(learning, false));
  Graph close = add_updates(accumulated(learning), options.update);
  p.close = program(options.average > 0 ? add_averages(close, options.average) : close);
  if (!evaluation.nodes.empty()) {
    const Graph judged = with_head_loss(evaluation, target);
    p.evaluate = program(options.average > 0 ? with_averages(judged, p.close) : judged);
  }
  return p;
}

int64_t memory_bytes(const LearningPrograms& programs) {
  std::map<std::string, int64_t> states;
  int64_t arena = 0;
  for (const Program* p : programs.all()) {
    arena = std::max(arena, p->arena_bytes);
    for (const ProgramState& s : p->states) states[s.name] = max_bytes(s.type);
  }
  for (const auto& [name, bytes] : states) arena += bytes;
  return arena;
}

LearningSession::LearningSession(LearningPrograms programs, std::unique_ptr<Device> device, const std::function<Tensor(const ProgramState&)>& load)
    : programs_(std::move(programs)), device_(std::move(device)) {
  std::set<std::string> names;
  for (const Program* p : programs_.all()) {
    for (const ProgramState& s : p->states) {
      const bool sum = s.name.starts_with(kGradientState);
      if (s.changes && !sum) changing_.insert(s.name);
      if (!names.insert(s.name).second) continue;
      if (!sum) states_.push_back(s);
      Tensor t = sum ? Tensor() : load(s);
      if (t.empty())
        device_->create(s.name, s.type);
      else
        write(s.name, t);
    }
  }
  prepare();
}

void LearningSession::prepare() {
  first_ = device_->prepare(programs_.first);
  if (!programs_.more.steps.empty()) more_ = device_->prepare(programs_.more);
  close_ = device_->prepare(programs_.close);
  if (!programs_.evaluate.steps.empty()) evaluate_ = device_->prepare(programs_.evaluate);
}

void LearningSession::replace(LearningPrograms programs) {
  for (auto* e : {&first_, &more_, &close_, &evaluate_}) e->reset();
  programs_ = std::move(programs);
  prepare();
}

LearningSession::Outputs LearningSession::run(const Program& program, Executable& executable, const Inputs& inputs) {
  std::vector<std::span<const int32_t>> in;
  for (const ProgramInput& i : program.inputs) {
    auto it = inputs.find(i.name);
    if (it == inputs.end()) fail(ErrorKind::runtime, "learn", "the Program reads input '{}', which a step does not have", i.name);
    in.emplace_back(it->second);
  }
  Outputs outputs;
  std::vector<std::span<float>> out;
  for (const ProgramOutput& o : program.outputs) {
    auto& values = outputs[o.name];
    values.resize(static_cast<size_t>(max_elements(program.buffers[static_cast<size_t>(o.buffer)].type.shape)));
    out.emplace_back(values);
  }
  executable.run({}, in, out);
  return outputs;
}

LossSum LearningSession::accumulate(const Inputs& inputs, bool first) {
  check(first || more_, "a step of several micro-batches was compiled for");
  Outputs out = first ? run(programs_.first, *first_, inputs) : run(programs_.more, *more_, inputs);
  LossSum sum{static_cast<double>(out.at("loss")[0]), static_cast<double>(out.at("weight")[0])};
  for (const auto& [name, values] : out) {
    if (auto b = block_of(name, kPeakOutput)) sum.blocks[*b].peak = static_cast<double>(values[0]);
    if (auto b = block_of(name, kLostOutput)) sum.blocks[*b].lost = static_cast<double>(values[0]);
    if (auto b = block_of(name, kNoiseOutput)) sum.blocks[*b].noise = static_cast<double>(values[0]);
  }
  return sum;
}

double LearningSession::update(const UpdateStep& step) {
  Outputs out = run(programs_.close, *close_,
                    {{"lr", bits_of(static_cast<float>(step.rate))},
                     {"scale", bits_of(static_cast<float>(step.scale))},
                     {"step", {static_cast<int32_t>(step.step)}}});
  return static_cast<double>(out.at("grad_norm")[0]);
}

LearningSession::Outputs LearningSession::evaluate(const Inputs& inputs) {
  check(evaluate_ != nullptr, "a graph to evaluate with was compiled");
  return run(programs_.evaluate, *evaluate_, inputs);
}

const ProgramState& LearningSession::state(const std::string& name) const {
  auto it = std::ranges::find(states_, name, &ProgramState::name);
  check(it != states_.end(), "a state that there is");
  return *it;
}

bool LearningSession::changes(const std::string& name) const { return changing_.contains(name); }

Tensor LearningSession::read(const std::string& name) {
  const ProgramState& s = state(name);
  Tensor t = Tensor::zeros(s.type.dtype, bind(s.type.shape, {}));
  device_->download(name, {t.mutable_bytes(), t.size_bytes()});
  return t;
}

void LearningSession::write(const std::string& name, const Tensor& values) {
  const ProgramState& s = state(name);
  Tensor t = as_type(values, s.type, name);
  if (t.shape() != bind(s.type.shape, {}))
    fail(ErrorKind::file, "learn", "state '{}' should be {}, not {}", name, to_string(s.type), to_string(t.shape()));
  device_->upload(name, s.type, s.layout,
                  {.read = [&](uint64_t offset, std::span<std::byte> to) { std::copy_n(t.bytes() + offset, to.size(), to.data()); }});
}

}  // namespace motley
