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
  return {{"tokens", step.tokens},
          {"positions", step.positions},
          {"seq", step.seq},
          {"slots", step.slots},
          {"tables", step.tables},
          {"rows", step.rows},
          {"source_last", step.source_last},
          {"source_tables", step.source_tables}};
}

BuildLimits build_limits(const Plan& plan) {
  return {.tokens = plan.batch_tokens,
          .sequences = plan.sequences,
          .rows = plan.rows,
          .pages = plan.pages,
          .page_tokens = plan.page_tokens,
          .blocks = plan.blocks(),
          .source_pages = plan.pages,
          .source_blocks = plan.blocks(),
          .kv_type = plan.kv_type};
}

StepLimits step_limits(const Plan& plan, const ModelSource& source) {
  const bool reads = reads_sources(source.config);
  return {.tokens = plan.batch_tokens,
          .sequences = plan.sequences,
          .rows = plan.rows,
          .pages = plan.pages,
          .page_tokens = plan.page_tokens,
          .blocks = plan.blocks(),
          .vocab = source.config.vocab,
          .virtual_tokens = source.virtual_tokens,
          .source_tokens = reads ? std::max(plan.context, plan.batch_tokens) : 0,
          .source_pages = reads ? plan.pages : 0,
          .source_blocks = reads ? plan.blocks() : 0};
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

Graph build_reader_graph(const ModelSource& source, const Plan& plan) {
  ModelConfig config = source.config;
  config.context = plan.context;
  BuildLimits limits = build_limits(plan);
  limits.mode = BuildMode::embed;
  limits.tokens = step_limits(plan, source).source_tokens;
  Builder b(limits, source.types, source.name);
  build_source_reader(b, config);
  return b.take();
}

ModelDemand demand_of(const ModelSource& source) {
  Plan any;
  any.context = std::min(any.page_tokens, source.config.max_positions), any.pages = 1, any.batch_tokens = 1, any.kv_type = Dtype::f32;
  std::vector<Graph> graphs = {build_graph(source, any)};
  if (reads_sources(source.config)) graphs.push_back(build_reader_graph(source, any));
  ModelDemand demand{
      .max_positions = source.config.max_positions, .vocab = source.config.vocab, .hidden = source.config.hidden, .layers = source.config.layers};
  std::set<std::string> changing, counted;
  for (const Graph& graph : graphs)
    for (const Output& u : graph.updates) changing.insert(u.name);
  for (const Graph& graph : graphs)
    for (const Node& n : graph.nodes) {
      if (!std::holds_alternative<State>(n.op) || !counted.insert(n.name).second) continue;
      int64_t bytes = max_bytes(n.out[0]);
      if (changing.contains(n.name)) {
        demand.kv_row_elements += n.out[0].dim(1).n * n.out[0].dim(3).n;
      } else {
        demand.weight_bytes += bytes;
        demand.largest_weight_bytes = std::max(demand.largest_weight_bytes, bytes);
      }
    }
  return demand;
}

int64_t load_states(Device& device, std::span<const Program* const> programs, const ModelSource& source,
                    const std::function<void(int64_t, int64_t)>& progress) {
  std::vector<ProgramState> states;
  std::set<std::string> seen, changing;
  for (const Program* p : programs)
    for (const ProgramState& s : p->states) {
      if (s.changes) changing.insert(s.name);
      if (seen.insert(s.name).second) states.push_back(s);
    }
  int64_t total = 0, done = 0;
  for (const ProgramState& s : states) total += changing.contains(s.name) ? 0 : max_bytes(s.type);
  for (const ProgramState& s : states) {
    if (changing.contains(s.name)) {
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
  if (limits_.source_tokens > 0 && source.rewrite)
    fail(ErrorKind::usage, "model", "{} has an encoder, beside which no adapter runs: merge it into the weights", source.name);
  auto start = std::chrono::steady_clock::now();
  compiled_ = compile(build_graph(source, plan), device_->target(),
                      {.token_ranges = token_ranges(plan.batch_tokens), .skip = options.skip, .after = options.after_pass});

  // All Programs of the family have the same states in the same layouts.
  std::vector<const Program*> programs = {&compiled_.programs[0]};
  if (limits_.source_tokens > 0) {
    Target target = device_->target();
    for (const ProgramState& s : programs[0]->states) target.resident[s.name] = s.layout;
    reader_ = compile(build_reader_graph(source, plan), target,
                      {.token_ranges = token_ranges(limits_.source_tokens), .skip = options.skip, .after = options.after_pass});
    programs.push_back(&reader_.programs[0]);
  }
  weight_bytes_ = load_states(*device_, programs, source, options.progress);
  for (const Program& p : compiled_.programs) executables_.push_back(device_->prepare(p));
  for (const Program& p : reader_.programs) readers_.push_back(device_->prepare(p));
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
    else if (i.name == "source_last")
      out.emplace_back(step.source_last);
    else if (i.name == "source_tables")
      out.emplace_back(step.source_tables);
    else
      check(false, "a step has the inputs that the builder makes");
  }
  return out;
}

namespace {

// By the Program for the narrowest range that holds the step.
void run_step(std::span<const Program> programs, std::span<const std::unique_ptr<Executable>> executables, const StepInputs& step, const Sizes& sizes,
              std::span<const std::span<float>> out) {
  for (size_t p = 0; p < executables.size(); ++p) {
    if (sizes.T > programs[p].max_T) continue;
    executables[p]->run(sizes, inputs_in_order(programs[p], step), out);
    return;
  }
  fail(ErrorKind::runtime, "run", "a step of {} tokens is larger than the plan's {}", sizes.T, programs.back().max_T);
}

}  // namespace

void Session::run(const StepInputs& step, std::span<float> logits) {
  std::span<float> out[] = {logits};
  run_step(compiled_.programs, executables_, step, step.sizes(limits_.blocks), out);
}

void Session::read_sources(const StepInputs& step) {
  check(!readers_.empty(), "a model that reads sources has an encoder");
  run_step(reader_.programs, readers_, step, {.T = static_cast<int64_t>(step.tokens.size())}, {});
}

ReferenceRunner::ReferenceRunner(const ModelSource& source, const Plan& plan) : limits_(step_limits(plan, source)) {
  auto load = [source](const std::string& name) { return source.types(name) ? read_state(source, name) : Tensor(); };
  interpreter_ = std::make_unique<Interpreter>(build_graph(source, plan), load);
  if (limits_.source_tokens > 0) reader_ = std::make_unique<Interpreter>(build_reader_graph(source, plan), load);
}

ReferenceRunner::~ReferenceRunner() = default;

void ReferenceRunner::run(const StepInputs& step, std::span<float> logits) {
  auto out = interpreter_->run(step.sizes(limits_.blocks), named_inputs(step));
  std::ranges::copy(out.at("logits").data, logits.begin());
}

void ReferenceRunner::read_sources(const StepInputs& step) {
  reader_->run({.T = static_cast<int64_t>(step.tokens.size())}, named_inputs(step));
  for (const Output& u : reader_->graph().updates) interpreter_->keep(u.name, reader_->changed(u.name));
}

}  // namespace motley
