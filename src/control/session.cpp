#include "control/session.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"
#include "base/error.h"
#include "nn/families.h"
#include "ops/interpreter.h"

namespace motley {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Steps of 1 token read every weight once and nothing else matters; a few tokens share each weight byte; many are arithmetic.
std::vector<int64_t> token_ranges(int64_t most) {
  std::vector<int64_t> out;
  for (int64_t ceiling : {int64_t{1}, int64_t{16}})
    if (ceiling < most) out.push_back(ceiling);
  out.push_back(most);
  return out;
}

}  // namespace

std::map<std::string, std::vector<int32_t>> named_inputs(const StepInputs& step) {
  return {{"tokens", step.tokens}, {"positions", step.positions}, {"seq", step.seq},
          {"slots", step.slots},   {"tables", step.tables},       {"rows", step.rows}};
}

BuildLimits build_limits(const Plan& plan) {
  return {.tokens = plan.batch_tokens,
          .sequences = plan.sequences,
          .rows = plan.rows,
          .pages = plan.pages,
          .page_tokens = plan.page_tokens,
          .blocks = plan.blocks(),
          .kv_type = plan.kv_type};
}

StepLimits step_limits(const Plan& plan, const ModelSource& source) {
  return {.tokens = plan.batch_tokens,
          .sequences = plan.sequences,
          .rows = plan.rows,
          .pages = plan.pages,
          .page_tokens = plan.page_tokens,
          .blocks = plan.blocks(),
          .vocab = source.config.vocab,
          .virtual_tokens = source.virtual_tokens};
}

Graph build_graph(const ModelSource& source, const Plan& plan) {
  ModelConfig config = source.config;
  config.context = plan.context;
  BuildLimits limits = build_limits(plan);
  limits.mode = run_mode(config);
  limits.bound = family_of(config).grid;
  Builder b(limits, source.types, source.name);
  build_model(b, config);
  Graph graph = b.take();
  return source.rewrite ? source.rewrite(graph) : graph;
}

ModelDemand demand_of(const ModelSource& source) {
  Plan any;
  any.context = std::min(any.page_tokens, source.config.max_positions), any.pages = 1, any.batch_tokens = 1, any.kv_type = Dtype::f32;
  Graph graph = build_graph(source, any);
  ModelDemand demand{
      .max_positions = source.config.max_positions, .vocab = source.config.vocab, .hidden = source.config.hidden, .layers = source.config.layers};
  for (const Node& n : graph.nodes) {
    if (!std::holds_alternative<State>(n.op)) continue;
    bool changes = std::ranges::any_of(graph.updates, [&](const Output& u) { return u.name == n.name; });
    int64_t bytes = max_bytes(n.out[0]);
    if (changes) {
      demand.kv_row_elements += n.out[0].dim(1).n * n.out[0].dim(3).n;
    } else {
      demand.weight_bytes += bytes;
      demand.largest_weight_bytes = std::max(demand.largest_weight_bytes, bytes);
    }
  }
  return demand;
}

int64_t load_states(Device& device, const Program& program, const ModelSource& source, const std::function<void(int64_t, int64_t)>& progress) {
  int64_t total = 0, done = 0;
  for (const ProgramState& s : program.states) total += s.changes ? 0 : max_bytes(s.type);
  for (const ProgramState& s : program.states) {
    if (s.changes) {
      device.create(s.name, s.type);
      continue;
    }
    Tensor weight = source.load(s.name);
    WeightSource bytes;
    if (weight.owns_bytes()) bytes.whole = weight.bytes();  // a file is never computed from: it may be cut short at any time
    bytes.owner = std::make_shared<Tensor>(weight);
    bytes.read = [&](uint64_t offset, std::span<std::byte> to) {
      check(offset + to.size() <= weight.size_bytes(), "a device reads within the weight");
      // A mapped file is read, so that one cut short by somebody else is an error and not a signal.
      if (source.read_part && source.read_part(s.name, offset, to)) return;
      std::copy_n(weight.bytes() + offset, to.size(), to.data());
    };
    device.upload(s.name, s.type, s.layout, bytes);
    source.drop(s.name);
    done += max_bytes(s.type);
    if (progress) progress(done, total);
  }
  return total;
}

Session::Session(const ModelSource& source, const Plan& plan, std::unique_ptr<Device> device, const SessionOptions& options)
    : plan_(plan), limits_(step_limits(plan, source)), device_(std::move(device)) {
  if (source.config.task != Task::language_model)
    fail(ErrorKind::usage, "model", "{} is made for '{}' and does not continue texts; see 'motley classify' and 'motley embed'", source.name,
         task_name(source.config.task));
  auto start = std::chrono::steady_clock::now();
  compiled_ = compile(build_graph(source, plan), device_->target(),
                      {.token_ranges = token_ranges(plan.batch_tokens), .skip = options.skip, .after = options.after_pass});

  // All Programs of the family have the same states in the same layouts.
  weight_bytes_ = load_states(*device_, compiled_.programs[0], source, options.progress);
  for (const Program& p : compiled_.programs) executables_.push_back(device_->prepare(p));
  load_seconds_ = seconds_since(start);
}

std::vector<std::span<const int32_t>> inputs_in_order(const Program& program, const StepInputs& step) {
  std::vector<std::span<const int32_t>> out;
  for (const ProgramInput& i : program.inputs) {
    if (i.name == "tokens")
      out.emplace_back(step.tokens);
    else if (i.name == "positions")
      out.emplace_back(step.positions);
    else if (i.name == "seq")
      out.emplace_back(step.seq);
    else if (i.name == "slots")
      out.emplace_back(step.slots);
    else if (i.name == "tables")
      out.emplace_back(step.tables);
    else if (i.name == "rows")
      out.emplace_back(step.rows);
    else
      check(false, "a step has the inputs that the builder makes");
  }
  return out;
}

void Session::run(const StepInputs& step, std::span<float> logits) {
  Sizes sizes = step.sizes(limits_.blocks);
  for (size_t p = 0; p < executables_.size(); ++p) {
    if (sizes.T > compiled_.programs[p].max_T) continue;
    std::span<float> out[] = {logits};
    executables_[p]->run(sizes, inputs_in_order(compiled_.programs[p], step), out);
    return;
  }
  fail(ErrorKind::runtime, "run", "a step of {} tokens is larger than the plan's {}", sizes.T, plan_.batch_tokens);
}

ReferenceRunner::ReferenceRunner(const ModelSource& source, const Plan& plan)
    : limits_(step_limits(plan, source)), interpreter_(std::make_unique<Interpreter>(build_graph(source, plan), [source](const std::string& name) {
        return source.types(name) ? read_state(source, name) : Tensor();
      })) {}

ReferenceRunner::~ReferenceRunner() = default;

void ReferenceRunner::run(const StepInputs& step, std::span<float> logits) {
  auto out = interpreter_->run(step.sizes(limits_.blocks), named_inputs(step));
  std::ranges::copy(out.at("logits").data, logits.begin());
}

}  // namespace motley
