#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "passes/accumulate.h"
#include "runtime/probe.h"
#include "train/checkpoint.h"
#include "train/run_log.h"
#include "train/run_state.h"

namespace motley {
namespace {

constexpr uint64_t kMaxSmallFile = 64 << 20;
constexpr int64_t kDefaultBatch = 16;
constexpr std::string_view kOptimizerFile = "optimizer.safetensors";

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Op optimizer(const TrainingRecipe& r, bool learned_before) {
  const double beta2 = r.beta2 > 0 ? r.beta2 : r.optimizer == "lion" ? 0.99 : learned_before ? 0.999 : 0.95;
  if (r.optimizer == "adamw" || r.optimizer == "adam")
    return Adamw{.beta1 = r.beta1, .beta2 = beta2, .eps = r.epsilon, .decay = r.weight_decay, .decoupled = r.optimizer == "adamw"};
  if (r.optimizer == "adafactor") return Adafactor{.decay = r.weight_decay};
  if (r.optimizer == "lion") return Lion{.beta1 = r.beta1, .beta2 = beta2, .decay = r.weight_decay};
  if (r.optimizer == "sgd") return Sgd{.decay = r.weight_decay};
  if (r.optimizer == "momentum") return SgdMomentum{.momentum = r.momentum, .decay = r.weight_decay};
  constexpr std::string_view kNames[] = {"adamw", "adam", "adafactor", "lion", "sgd", "momentum"};
  auto meant = nearest(r.optimizer, kNames);
  fail(ErrorKind::usage, "train", "there is no optimizer '{}'{}", r.optimizer, meant ? fmt::format("; did you mean '{}'?", *meant) : "");
}

AdversarialOptions adversary(const TrainingRecipe& r) {
  auto kind = parse_adversary(r.adversarial);
  if (!kind) fail(ErrorKind::usage, "train", "--adversarial should be none, fgm or pgd, not '{}'", r.adversarial);
  return {.kind = *kind, .epsilon = r.adversarial_epsilon, .steps = r.adversarial_steps};
}

ScheduleKind schedule_kind(const std::string& name) {
  auto it = std::ranges::find(kScheduleNames, name);
  if (it != kScheduleNames.end()) return static_cast<ScheduleKind>(it - kScheduleNames.begin());
  auto meant = nearest(name, kScheduleNames);
  fail(ErrorKind::usage, "train", "there is no schedule '{}'{}", name, meant ? fmt::format("; did you mean '{}'?", *meant) : "");
}

// Where a run stood, in files.
struct Resumed {
  std::string path;
  RunState state;
  TrainingPlan plan;
  std::vector<SafetensorsFile> files;

  // Averages lie in the model's file under the weights' names, and the weights then with the optimizer.
  Tensor load(const std::string& name) const {
    const bool average = name.starts_with(kAverageState);
    for (const SafetensorsFile& f : files)
      if (f.find_tensor(name) && (!average || !is_model(f))) return f.load(name);
    for (const SafetensorsFile& f : files)
      if (const std::string weight = average ? name.substr(kAverageState.size()) : ""; is_model(f) && f.find_tensor(weight)) return f.load(weight);
    return {};
  }
  static bool is_model(const SafetensorsFile& f) { return !f.path().ends_with(kOptimizerFile); }
};

Resumed open_checkpoint(const std::string& path, const TrainingRecipe& recipe) {
  const std::string recipe_path = path + "/recipe.yaml", run_path = path + "/run.json";
  auto changed = differences(parse_recipe(read_file(recipe_path, kMaxSmallFile), recipe_path), recipe);
  if (!changed.empty()) {
    std::string list;
    for (const std::string& c : changed) list += "\n  " + c;
    fail(ErrorKind::usage, "resume",
         "{} belongs to another recipe:{}\nGo on with the old values, or begin anew with --resume none and another --output", path, list);
  }
  const Json json = parse_json(read_file(run_path, kMaxSmallFile), run_path);
  Resumed r{path, run_state(json, run_path), training_plan(json.contains("plan") ? json["plan"] : Json::object(), run_path), {}};
  for (const auto& entry : std::filesystem::directory_iterator(path))
    if (entry.path().extension() == ".safetensors") r.files.push_back(SafetensorsFile::open(entry.path()));
  std::ranges::stable_sort(r.files, {}, &Resumed::is_model);  // the optimizer's first
  return r;
}

class Run {
 public:
  Run(const TrainingRecipe& recipe, const Trainee& trainee, const Samples& data, const Samples& evaluation, TrainListener& listener)
      : recipe_(recipe),
        trainee_(trainee),
        data_(data),
        evaluation_(evaluation),
        listener_(listener),
        update_{.op = optimizer(recipe, trainee.learned_before), .clip = static_cast<float>(recipe.clip), .decays = {}},
        stopping_(recipe.patience),
        guard_({.deviations = recipe.spike > 0 ? recipe.spike : std::numeric_limits<double>::infinity()}),
        plateau_(std::max<int64_t>(recipe.patience, 2), 0.5) {}

  TrainOutcome run() {
    find_start();
    prepare();
    return loop();
  }

 private:
  // ---- before the first step

  void find_start() {
    if (recipe_.resume == "none") {
      if (!find_checkpoints(recipe_.output).empty())
        fail(ErrorKind::usage, "train", "{} holds checkpoints of another run, and --resume is none; name another --output", recipe_.output);
      return;
    }
    if (recipe_.resume != "auto") {
      if (auto wrong = problem_of(recipe_.resume)) fail(ErrorKind::file, "resume", "{} cannot be gone on from: {}", recipe_.resume, *wrong);
      resumed_ = open_checkpoint(recipe_.resume, recipe_);
    }
    for (const FoundCheckpoint& c : recipe_.resume == "auto" ? find_checkpoints(recipe_.output) : std::vector<FoundCheckpoint>{}) {
      if (auto wrong = problem_of(c.path)) {
        listener_.note(fmt::format("WARNING: {} is damaged and left out: {}", c.path, *wrong));
        continue;
      }
      resumed_ = open_checkpoint(c.path, recipe_);
      break;
    }
    if (!resumed_) return;
    state_ = resumed_->state;
    stopping_.restore(state_.stopping), guard_.restore(state_.guard), plateau_.restore(state_.plateau);
  }

  void prepare() {
    auto device = trainee_.open_device();
    const Target target = device->target();
    LearningPrograms programs;
    if (resumed_ && resumed_->plan.isa == target.isa) {
      plan_ = resumed_->plan;
      programs = read_programs(resumed_->path);
    } else {
      if (resumed_)
        listener_.note(fmt::format("the checkpoint was computed with {}, here there is {}: compiled anew, so the last bits will differ",
                                   resumed_->plan.isa, target.isa));
      programs = choose_shape(target);
    }
    schedule_ = {.kind = schedule_kind(recipe_.schedule),
                 .base = recipe_.learning_rate,
                 .warmup = recipe_.warmup >= 0 ? recipe_.warmup : plan_.steps / 20,
                 .steps = plan_.steps,
                 .floor = recipe_.floor,
                 .decay = recipe_.decay};
    eval_every_ = recipe_.eval_every > 0 ? recipe_.eval_every : std::max<int64_t>(plan_.steps / 10, 1);
    save_every_ = recipe_.save_every > 0 ? recipe_.save_every : eval_every_;
    memory_ = memory_bytes(programs);
    peak_ = probe_multiply_add(*device, ActivationFormat::f32);
    session_.emplace(std::move(programs), std::move(device), [&](const ProgramState& s) { return first_values(s); });
    RunFacts facts{.steps = plan_.steps,
                   .warmup = schedule_.warmup,
                   .rows = plan_.shape.rows,
                   .length = plan_.shape.length,
                   .micro_batches = plan_.micro_batches,
                   .memory_bytes = memory_,
                   .from_step = state_.step,
                   .rate = schedule_.base,
                   .operations_per_step = plan_.operations * static_cast<double>(plan_.micro_batches),
                   .peak_operations = peak_,
                   .device = target.name,
                   .isa = target.isa,
                   .threads = target.threads};
    for (const ProgramState& s : session_->states())
      if (session_->changes(s.name) && !s.name.starts_with(kOptimizerState) && !s.name.starts_with(kAverageState))
        facts.parameters += max_elements(s.type.shape);
    listener_.begin(facts);
  }

  // As many rows at once as the memory holds, in equal parts of the batch; decides plan_.
  LearningPrograms choose_shape(const Target& target) {
    const int64_t batch = recipe_.batch > 0 ? recipe_.batch : kDefaultBatch;
    const int64_t limit = trainee_.memory_bytes > 0 ? trainee_.memory_bytes : target.memory_bytes;
    plan_.device = target.name, plan_.isa = target.isa;
    plan_.steps = recipe_.steps > 0 ? recipe_.steps : steps_of_epochs(batch);
    const int64_t most = recipe_.micro_batch > 0 ? recipe_.micro_batch : batch;
    if (batch % most != 0) fail(ErrorKind::usage, "train", "a --batch of {} rows is no multiple of a --micro-batch of {}", batch, most);
    for (int64_t rows = most; rows > 0; --rows) {
      if (batch % rows != 0) continue;
      plan_.shape = {.rows = rows, .length = recipe_.length, .samples = trainee_.samples_per_row * rows};
      plan_.micro_batches = batch / rows;
      LearningPrograms programs = compile_learning(trainee_.objective(plan_.shape, true), trainee_.objective(plan_.shape, false), target,
                                                   {.update = update_,
                                                    .learns = trainee_.learns,
                                                    .adversarial = adversary(recipe_),
                                                    .average = recipe_.average,
                                                    .several = plan_.micro_batches > 1,
                                                    .context = trainee_.context});
      plan_.operations = programs.operations;
      const int64_t need = memory_bytes(programs);
      if (need <= limit) return programs;
      if (rows == 1 || recipe_.micro_batch > 0)
        fail(ErrorKind::no_fit, "train", "{} rows of {} tokens need {} MiB, and {} MiB are there; use a smaller {}", rows, recipe_.length, need >> 20,
             limit >> 20, rows == 1 ? "--length, another --optimizer or a smaller model" : "--micro-batch");
      listener_.note(fmt::format("{} rows at once would need {} MiB of {}", rows, need >> 20, limit >> 20));
    }
    fail(ErrorKind::no_fit, "train", "no micro-batch fits the memory");
  }

  int64_t steps_of_epochs(int64_t batch) const {
    double rows = static_cast<double>(data_.tokens()) / static_cast<double>(recipe_.length);
    if (trainee_.samples_per_row > 0) rows = std::max(rows, static_cast<double>(data_.size()) / static_cast<double>(trainee_.samples_per_row));
    return std::max<int64_t>(1, std::llround(recipe_.epochs * rows / static_cast<double>(batch)));
  }

  Tensor first_values(const ProgramState& s) const {
    if (resumed_) {
      Tensor t = resumed_->load(s.name);
      if (t.empty()) fail(ErrorKind::file, "resume", "{} has no state '{}'", resumed_->path, s.name);
      return t;
    }
    if (s.name.starts_with(kOptimizerState)) return {};
    const std::string name = s.name.starts_with(kAverageState) ? s.name.substr(kAverageState.size()) : s.name;  // averages begin as the weights do
    Tensor t = trainee_.load(name);
    return t.empty() ? trainee_.fresh(name, s.type) : t;
  }

  // ---- the steps

  TrainOutcome loop() {
    std::filesystem::create_directories(recipe_.output);
    Batches batches(data_, plan_.shape, static_cast<uint64_t>(recipe_.seed), true, trainee_.pack, state_.cursor);
    RunLog log(recipe_.output, state_.step);
    log_ = &log;
    pieces_ = batches.size();
    Clock clock;
    const int64_t first = state_.step;
    double waited = 0;
    while (state_.step < plan_.steps) {
      if (listener_.stop()) return finish(TrainOutcome::End::interrupted, batches);
      Clock step_clock;
      StepReport report = step(batches);
      report.waited_seconds = batches.waited_seconds() - waited;
      waited = batches.waited_seconds();
      const double seconds = step_clock.seconds(), done = static_cast<double>(state_.step - first);
      const auto tokens = static_cast<double>(plan_.micro_batches * plan_.shape.rows * plan_.shape.length);
      report.tokens_per_second = tokens / seconds;
      report.fraction_of_peak = plan_.operations * static_cast<double>(plan_.micro_batches) / seconds / peak_;
      report.seconds_left = clock.seconds() / done * static_cast<double>(plan_.steps - state_.step);
      listener_.step(report);
      if (state_.step % std::max<int64_t>(recipe_.log_every, 1) == 0 || state_.step == 1) log_step(report, seconds);
      if (wrong_) return finish(TrainOutcome::End::diverged, batches);
      const bool last = state_.step == plan_.steps, evaluates = evaluation_.size() > 0 && (last || state_.step % eval_every_ == 0);
      bool stop = false, best = false;
      if (evaluates) std::tie(best, stop) = evaluate();
      if (best || last || stop || state_.step % save_every_ == 0) save(batches);
      if (stop) return finish(TrainOutcome::End::early, batches);
    }
    return finish(TrainOutcome::End::finished, batches);
  }

  LearningSession::Inputs inputs(const Batch& b, int64_t micro_batch) const {
    const auto seed = static_cast<uint64_t>(recipe_.seed);
    auto in = trainee_.inputs(plan_.shape, b);
    const int64_t first_token = micro_batch * plan_.shape.rows * plan_.shape.length;  // masks are drawn for the tokens of the whole step
    in["dropout_key"] = {static_cast<int32_t>(seed), static_cast<int32_t>(seed >> 32), static_cast<int32_t>(state_.step),
                         static_cast<int32_t>(first_token)};
    return in;
  }

  StepReport step(Batches& batches) {
    ++state_.step;
    LossSum sum;
    for (int64_t m = 0; m < plan_.micro_batches; ++m) {
      Batch b = batches.next();
      LossSum one = session_->accumulate(inputs(b, m), m == 0);
      sum.loss += one.loss, sum.weight += one.weight;
      for (int32_t s : b.seq) state_.tokens += s >= 0;
    }
    state_.cursor = batches.cursor();
    const double loss = sum.weight > 0 ? sum.loss / sum.weight : 0;
    StepReport report{.step = state_.step, .steps = plan_.steps, .tokens = state_.tokens, .epoch = epoch(), .loss = loss, .memory_bytes = memory_};
    report.rate = learning_rate(schedule_, state_.step) * (schedule_.kind == ScheduleKind::plateau ? plateau_.multiplier() : 1);
    const auto verdict = guard_.observe(loss);
    const double scale = verdict == SpikeGuard::Verdict::take && sum.weight > 0 ? 1 / sum.weight : std::numeric_limits<double>::quiet_NaN();
    report.norm = session_->update({.rate = report.rate, .step = state_.updates + 1, .scale = scale});
    report.skipped = verdict != SpikeGuard::Verdict::take || !std::isfinite(report.norm);
    if (!report.skipped) {
      ++state_.updates;
    } else {
      listener_.note(fmt::format(
          "step {} was skipped: its loss is {:.4g}{}", state_.step, loss,
          std::isfinite(loss) && !std::isfinite(report.norm) && verdict == SpikeGuard::Verdict::take ? " and its gradients are not finite" : ""));
    }
    skipped_ = report.skipped ? skipped_ + 1 : 0;
    wrong_ = verdict == SpikeGuard::Verdict::stop || skipped_ >= SpikeGuard::Limits{}.persistence;
    return report;
  }

  double epoch() const {
    return static_cast<double>(state_.cursor.epoch) + static_cast<double>(state_.cursor.next) / static_cast<double>(std::max<int64_t>(pieces_, 1));
  }

  std::pair<bool, bool> evaluate() {
    Clock clock;
    Batches batches(evaluation_, plan_.shape, 0, false, trainee_.pack);
    LossSum sum;
    int64_t right = 0, samples = 0;
    for (int64_t i = 0; batches.cursor().epoch == 0 && (recipe_.eval_batches == 0 || i < recipe_.eval_batches); ++i) {
      const Batch batch = batches.next();
      auto out = session_->evaluate(inputs(batch, 0));
      if (trainee_.count_right) right += trainee_.count_right(out, batch), samples += batch.samples;
      sum.loss += static_cast<double>(out.at("loss")[0]), sum.weight += static_cast<double>(out.at("weight")[0]);
    }
    const double loss = sum.weight > 0 ? sum.loss / sum.weight : std::numeric_limits<double>::quiet_NaN();
    auto verdict = stopping_.observe(state_.step, loss);
    plateau_.observe(loss);
    std::vector<std::pair<std::string, double>> values = {{"eval_loss", loss}, {"eval_runtime", clock.seconds()}, {"epoch", epoch()}};
    std::optional<double> accuracy;
    if (samples > 0) accuracy = static_cast<double>(right) / static_cast<double>(samples);
    values.emplace_back(accuracy ? "eval_accuracy" : "eval_perplexity", accuracy.value_or(std::exp(loss)));
    log_->add(state_.step, values);
    listener_.evaluated({.step = state_.step,
                         .epoch = epoch(),
                         .loss = loss,
                         .seconds = clock.seconds(),
                         .accuracy = accuracy,
                         .scored = static_cast<int64_t>(sum.weight),
                         .best = verdict.best});
    return {verdict.best, verdict.stop};
  }

  void log_step(const StepReport& r, double seconds) {
    log_->add(r.step, {{"loss", r.loss},
                       {"grad_norm", r.norm},
                       {"learning_rate", r.rate},
                       {"epoch", r.epoch},
                       {"tokens", static_cast<double>(r.tokens)},
                       {"tokens_per_second", r.tokens_per_second},
                       {"mfu", r.fraction_of_peak},
                       {"step_time", seconds},
                       {"data_wait", r.waited_seconds},
                       {"memory_bytes", static_cast<double>(r.memory_bytes)}});
  }

  // ---- checkpoints

  void save(const Batches& batches) {
    const std::string path = checkpoint_path(recipe_.output, state_.step);
    if (saved_step_ == state_.step || std::filesystem::exists(path)) return;
    state_.cursor = batches.cursor();
    state_.stopping = stopping_.state(), state_.guard = guard_.state(), state_.plateau = plateau_.state();
    CheckpointWriter out(path);
    std::set<std::string> kept = trainee_.save(out.folder(), [&](const std::string& name) { return session_->read(kept_name(name)); });
    if (recipe_.average > 0) {  // under the weights' names lie their averages
      std::set<std::string> averages;
      for (const std::string& name : kept) averages.insert(kept_name(name));
      kept = std::move(averages);
    }
    SafetensorsWriter rest(out.folder().file(std::string(kOptimizerFile)));
    std::vector<const ProgramState*> states;
    for (const ProgramState& s : session_->states())
      if (!kept.contains(s.name)) states.push_back(&s);
    for (const ProgramState* s : states) rest.declare(s->name, s->type.dtype, bind(s->type.shape, {}));
    for (const ProgramState* s : states) {
      Tensor t = session_->read(s->name);
      rest.write(s->name, {t.bytes(), t.size_bytes()});
    }
    rest.commit();
    Json run = to_json(state_);
    run["plan"] = to_json(plan_);
    out.folder().write("run.json", run.dump(1) + "\n");
    out.folder().write("recipe.yaml", print(recipe_));
    const auto& best = stopping_.state();
    out.folder().write("trainer_state.json", log_->trainer_state(state_.step, plan_.steps, epoch(), best.best.value_or(NAN),
                                                                 best.best ? checkpoint_path(recipe_.output, best.best_step) : ""));
    write_programs(out.folder(), session_->programs());
    out.commit(state_.step);
    saved_step_ = state_.step;
    prune_checkpoints(recipe_.output, std::max<int64_t>(recipe_.save_limit, 1), stopping_.state().best_step);
    write_page();
    listener_.saved(path);
  }

  // What a model's file holds under a weight's name.
  std::string kept_name(const std::string& name) const {
    const std::string average = std::string(kAverageState) + name;
    return recipe_.average > 0 && session_->changes(average) ? average : name;
  }

  void write_page() {
    log_->write_page(
        recipe_.output,
        {{"model", recipe_.model},
         {"data", recipe_.data},
         {"step", fmt::format("{} of {}", state_.step, plan_.steps)},
         {"rows", fmt::format("{} x {} of {} tokens", plan_.micro_batches, plan_.shape.rows, plan_.shape.length)},
         {"optimizer", fmt::format("{}, {} from {:.3g}", recipe_.optimizer, recipe_.schedule, recipe_.learning_rate)},
         {"best", stopping_.state().best ? fmt::format("{:.4f} at step {}", *stopping_.state().best, stopping_.state().best_step) : "none"}});
  }

  TrainOutcome finish(TrainOutcome::End end, Batches& batches) {
    if (end == TrainOutcome::End::interrupted && state_.step > (resumed_ ? resumed_->state.step : 0)) save(batches);
    write_page();
    return {.end = end, .step = state_.step, .best_loss = stopping_.state().best, .best_step = stopping_.state().best_step};
  }

  const TrainingRecipe& recipe_;
  const Trainee& trainee_;
  const Samples& data_;
  const Samples& evaluation_;
  TrainListener& listener_;
  UpdateOptions update_;
  Schedule schedule_;
  EarlyStopping stopping_;
  SpikeGuard guard_;
  Plateau plateau_;
  RunState state_;
  TrainingPlan plan_;
  std::optional<Resumed> resumed_;
  std::optional<LearningSession> session_;
  RunLog* log_ = nullptr;
  int64_t pieces_ = 1, eval_every_ = 1, save_every_ = 1, memory_ = 0, skipped_ = 0, saved_step_ = -1;
  double peak_ = 1;
  bool wrong_ = false;
};

}  // namespace

TrainOutcome train(const TrainingRecipe& recipe, const Trainee& trainee, const Samples& data, const Samples& evaluation, TrainListener& listener) {
  return Run(recipe, trainee, data, evaluation, listener).run();
}

}  // namespace motley
