#include "api/training_benchmark.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "control/fresh_model.h"
#include "control/learning.h"
#include "nn/families.h"
#include "nn/objective.h"
#include "nn/task.h"
#include "ops/def.h"
#include "runtime/probe.h"

namespace motley {
namespace {

constexpr int kProbes = 3;
constexpr double kRate = 1e-4;

Graph objective(const ModelSource& source, const TrainingBenchmarkOptions& options) {
  Builder b({.mode = BuildMode::learn, .tokens = options.rows * options.length}, source.types, source.name);
  build_objective(b, source.config, {.task = source.config.task, .samples = 0});
  return b.take();
}

// Full rows of tokens that are spread over the vocabulary; each is asked for the next one, which is always as far from it.
LearningSession::Inputs inputs(const ModelConfig& config, const TrainingBenchmarkOptions& options, int64_t step) {
  LearningSession::Inputs in;
  auto token = [&](int64_t row, int64_t at) { return static_cast<int32_t>((row * 7919 + at * 104729 + step * 15485863) % config.vocab); };
  for (int64_t row = 0; row < options.rows; ++row)
    for (int64_t at = 0; at < options.length; ++at) {
      in["tokens"].push_back(token(row, at));
      in["targets"].push_back(token(row, at + 1));
      in["positions"].push_back(static_cast<int32_t>(at + config.first_position));
      in["seq"].push_back(static_cast<int32_t>(row));
    }
  in["token_types"].assign(in["tokens"].size(), 0);
  return in;
}

// What the update has to read and write: its states and the gradients, and the weights and moments again.
double update_bytes(const Program& close) {
  double bytes = 0;
  for (const ProgramState& s : close.states) bytes += static_cast<double>(max_bytes(s.type)) * (s.changes ? 2 : 1);
  return bytes;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

}  // namespace

Measurement benchmark_training(const std::string& name, const ModelConfig& config, const TrainingBenchmarkOptions& options,
                               const std::function<void(const std::string&)>& progress) {
  if (config.task != Task::language_model && config.task != Task::masked_language_model)
    fail(ErrorKind::usage, "bench", "{} is made for '{}'; steps of training are measured on language models", name, task_name(config.task));
  if (reads_sources(config)) fail(ErrorKind::usage, "bench", "{} has an encoder; steps of training are measured on models that continue texts", name);
  if (options.length > config.longest_text())
    fail(ErrorKind::usage, "bench", "rows of {} tokens are longer than the {} positions of {}; use a smaller --length", options.length,
         config.longest_text(), name);
  progress("compiling");
  DeviceWishes wishes = options.wishes;
  wishes.packed = false;
  auto device = open_device(options.device, wishes);
  const Target target = device->target();
  const ModelSource source = fresh_model(name, config, 1);
  LearningOptions learning;
  learning.update = {.op = Adamw{.decay = 0.1}, .clip = 1, .decays = {}};
  learning.context = static_cast<double>(options.length) / (config.causal ? 2 : 1);
  learning.skip = options.skip;
  LearningPrograms programs = compile_learning(objective(source, options), {}, target, learning);
  const auto tokens = static_cast<double>(options.rows * options.length);
  Measurement m{.model = name,
                .type = "f32",
                .phase = "train",
                .device = target.name,
                .tokens = options.length,
                .batch = options.rows,
                .threads = target.threads,
                .bytes_per_token = update_bytes(programs.close) / tokens,
                .flops_per_token = programs.operations / tokens,
                .limit_name = "f32 op/s",
                .memory_bytes = memory_bytes(programs)};
  if (m.memory_bytes > target.memory_bytes)
    fail(ErrorKind::no_fit, "bench", "{} rows of {} tokens need {} MiB, and {} MiB are there; use a smaller --batch", options.rows, options.length,
         m.memory_bytes >> 20, target.memory_bytes >> 20);
  progress("drawing weights");
  LearningSession session(std::move(programs), std::move(device),
                          [&](const ProgramState& s) { return source.types(s.name) ? source.load(s.name) : Tensor(); });
  std::vector<double> speeds, peaks, fractions;
  for (int step = 1; step <= options.repeat + 1; ++step) {
    progress("train");
    const auto in = inputs(config, options, step);
    const double peak = probe_multiply_add(session.device(), ActivationFormat::f32, kProbes);
    const auto start = std::chrono::steady_clock::now();
    LossSum loss = session.accumulate(in, true);
    session.update({.rate = kRate, .step = step, .scale = 1 / loss.weight});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    m.losses.push_back(loss.loss / loss.weight);
    if (step == 1) continue;  // pages are touched for the first time
    peaks.push_back(peak);
    speeds.push_back(tokens / seconds);
    fractions.push_back(m.flops_per_token * speeds.back() / peak);
  }
  m.tok_s = median(speeds);
  m.limit = median(peaks);
  m.fraction_of_limit = median(fractions);
  return m;
}

}  // namespace motley
