#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/bits.h"
#include "base/error.h"
#include "base/text.h"
#include "io/safetensors_writer.h"
#include "passes/accumulate.h"
#include "runtime/probe.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/precision_control.h"
#include "train/resume.h"
#include "train/run_log.h"
#include "train/run_state.h"
#include "train/step_cut.h"

namespace motley {
namespace {

constexpr double kFewestSteps = 50;  // of a run whose batch is to be as large as possible

class Clock {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A number of rows, or nothing for "auto".
std::optional<int64_t> rows_of(const std::string& value, const char* flag) {
  if (value == "auto") return std::nullopt;
  auto n = parse_int(value);
  if (!n || *n < 1) fail(ErrorKind::usage, "train", "{} should be a number of rows, or auto, not '{}'", flag, printable(value));
  return n;
}

AdversarialOptions adversary(const TrainingRecipe& r) {
  auto kind = parse_adversary(r.adversarial);
  if (!kind) fail(ErrorKind::usage, "train", "--adversarial should be none, fgm or pgd, not '{}'", r.adversarial);
  return {.kind = *kind, .epsilon = r.adversarial_epsilon, .steps = r.adversarial_steps};
}

std::optional<Recompute> recompute_of(const std::string& value) {
  constexpr std::string_view kNames[] = {"auto", "none", "selective", "full"};
  return choice_of("recompute", value, kNames) == 0 ? std::nullopt : parse_recompute(value);
}

// Of several micro-batches: the largest gradient of all, the mean of what rounding did.
void join(std::map<int, BlockWatch>& all, const std::map<int, BlockWatch>& one, int64_t micro_batches) {
  for (const auto& [block, w] : one) {
    BlockWatch& to = all[block];
    to.peak = std::isnan(w.peak) || w.peak > to.peak ? w.peak : to.peak;
    to.lost += w.lost / static_cast<double>(micro_batches);
    to.noise += w.noise / static_cast<double>(micro_batches);
  }
}

class Run {
 public:
  Run(const TrainingRecipe& recipe, const Trainee& trainee, const Samples& data, const Samples& evaluation, TrainListener& listener)
      : recipe_(recipe),
        trainee_(trainee),
        data_(data),
        evaluation_(evaluation),
        listener_(listener),
        update_{.op = optimizer_of(recipe, trainee.learned_before), .clip = static_cast<float>(recipe.clip), .decays = trainee.decays},
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
    resumed_ = find_resumed(recipe_, [&](const std::string& warning) { listener_.note(warning); });
    if (!resumed_) return;
    state_ = resumed_->state;
    stopping_.restore(state_.stopping), guard_.restore(state_.guard), plateau_.restore(state_.plateau);
  }

  void prepare() {
    auto device = trainee_.open_device();
    const Target target = device->target();
    PrecisionWish wish = precision_wish(recipe_.precision, target);
    if (resumed_ && wish.small != state_.precision.plan.usual)  // another device: what the run began with stays
      wish.small = state_.precision.plan.usual, wish.why.clear();
    if (!wish.why.empty()) listener_.note(wish.why);
    const PrecisionPlan formats = resumed_ ? state_.precision.plan : PrecisionPlan{.usual = wish.small};
    const bool replayed = resumed_ && resumed_->plan.isa == target.isa;
    LearningPrograms programs;
    if (replayed) {
      plan_ = resumed_->plan;
      programs = read_programs(resumed_->path);
    } else {
      if (resumed_)
        listener_.note(fmt::format("the checkpoint was computed with {}, here there is {}: compiled anew, so the last bits will differ",
                                   resumed_->plan.isa, target.isa));
      programs = choose_shape(target, formats);
    }
    plan_.shape.lead = trainee_.lead, plan_.shape.whole = trainee_.whole_texts;
    precision_.emplace(wish.mode, wish.small, plan_.shape.rows * plan_.shape.length, adversary(recipe_).kind != Adversary::none);
    if (resumed_) precision_->restore(state_.precision);
    schedule_ = {.kind = parse_schedule(recipe_.schedule),
                 .base = recipe_.learning_rate,
                 .warmup = recipe_.warmup >= 0 ? recipe_.warmup : plan_.steps / 20,
                 .steps = plan_.steps,
                 .floor = recipe_.floor,
                 .decay = recipe_.decay};
    eval_every_ = recipe_.eval_every > 0 ? recipe_.eval_every : std::max<int64_t>(plan_.steps / 10, 1);
    save_every_ = recipe_.save_every > 0 ? recipe_.save_every : eval_every_;
    memory_ = memory_bytes(programs);
    peak_ = probe_multiply_add(*device, ActivationFormat::f32);
    std::set<std::string> learned;
    for (const Program* p : programs.all())
      for (const ProgramState& s : p->states)
        if (s.changes) learned.insert(s.name);
    session_.emplace(std::move(programs), std::move(device), [&](const ProgramState& s) { return first_values(s, learned.contains(s.name)); });
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
                   .precision = fmt::format("{}{}", wish.mode == PrecisionMode::adaptive ? "adaptive " : "", name(wish.small)),
                   .recompute = plan_.recompute,
                   .threads = target.threads};
    for (const ProgramState& s : session_->states())
      if (session_->changes(s.name) && !s.name.starts_with(kOptimizerState) && !s.name.starts_with(kAverageState))
        facts.parameters += max_elements(s.type.shape);
    listener_.begin(facts);
  }

  LearningPrograms compile(const Target& target, const BatchShape& shape, int64_t micro_batches, Recompute recompute,
                           const PrecisionPlan& precision) const {
    return compile_learning(trainee_.objective(shape, true), trainee_.objective(shape, false), target,
                            {.update = update_,
                             .learns = trainee_.learns,
                             .adversarial = adversary(recipe_),
                             .average = recipe_.average,
                             .several = micro_batches > 1,
                             .recompute = recompute,
                             .precision = precision,
                             .context = trainee_.context});
  }

  BatchShape shape_of(int64_t rows) const {
    return {.rows = rows, .length = recipe_.length, .samples = trainee_.samples_per_row * rows, .lead = trainee_.lead, .whole = trainee_.whole_texts};
  }

  // Decides plan_: as many rows at once as the memory holds, with as little as possible computed twice.
  LearningPrograms choose_shape(const Target& target, const PrecisionPlan& formats) {
    const int64_t limit = trainee_.memory_bytes > 0 ? trainee_.memory_bytes : target.memory_bytes;
    const TrainingPlan* before = resumed_ ? &resumed_->plan : nullptr;  // on another machine: cut anew, but the same steps
    const auto batch = before ? std::optional(before->shape.rows * before->micro_batches) : rows_of(recipe_.batch, "--batch");
    const double rows = rows_of_data(), whole = recipe_.steps > 0 ? rows : recipe_.epochs * rows / kFewestSteps;
    LearningPrograms programs;
    StepCut of;  // what programs are
    auto compiled = [&](const StepCut& cut) {
      programs = compile(target, shape_of(cut.rows), cut.micro_batches, cut.recompute, formats);
      of = cut;
      return memory_bytes(programs);
    };
    auto rows_at_once = rows_of(recipe_.micro_batch, "--micro-batch");
    if (trainee_.whole_batches && rows_at_once && rows_at_once != batch)
      fail(ErrorKind::usage, "train", "samples are compared with all others of their step, which no --micro-batch {} can be cut from; leave it out",
           recipe_.micro_batch);
    if (trainee_.whole_batches) rows_at_once = batch;
    const CutChoice choice = choose_cut({.batch = batch,
                                         .rows = rows_at_once,
                                         .recompute = recompute_of(recipe_.recompute),
                                         .length = recipe_.length,
                                         .most_rows = std::max<int64_t>(std::llround(whole), 1),
                                         .limit_bytes = limit},
                                        compiled);
    const StepCut& cut = choice.cut;
    if (!choice.fits)
      fail(ErrorKind::no_fit, "train", "{} rows of {} tokens need {} MiB, and {} MiB are there; use a smaller {}", cut.rows, recipe_.length,
           choice.bytes >> 20, limit >> 20,
           cut.rows == 1            ? "--length, another --optimizer or a smaller model"
           : trainee_.whole_batches ? "--batch, which is not cut because its samples are compared with each other"
                                    : "--micro-batch");
    for (const std::string& note : choice.notes) listener_.note(note);
    if (of != cut) compiled(cut);
    plan_ = {.shape = shape_of(cut.rows),
             .micro_batches = cut.micro_batches,
             .steps = before              ? before->steps
                      : recipe_.steps > 0 ? recipe_.steps
                                          : steps_of_epochs(cut.rows * cut.micro_batches),
             .recompute = cut.recompute,
             .device = target.name,
             .isa = target.isa,
             .operations = programs.operations};
    return programs;
  }

  double rows_of_data() const {
    const auto room = static_cast<double>(std::max<int64_t>(recipe_.length - static_cast<int64_t>(trainee_.lead.size()), 1));
    const double rows = static_cast<double>(data_.tokens()) / room;
    return trainee_.samples_per_row == 0 ? rows : std::max(rows, static_cast<double>(data_.size()) / static_cast<double>(trainee_.samples_per_row));
  }

  int64_t steps_of_epochs(int64_t batch) const {
    return std::max<int64_t>(1, std::llround(recipe_.epochs * rows_of_data() / static_cast<double>(batch)));
  }

  Tensor first_values(const ProgramState& s, bool learned) const {
    if (resumed_) {
      Tensor t = resumed_->load(s.name);
      if (!t.empty()) return t;
      if (learned) fail(ErrorKind::file, "resume", "{} has no state '{}'", resumed_->path, s.name);
    }
    if (s.name.starts_with(kOptimizerState)) return {};
    const std::string name = s.name.starts_with(kAverageState) ? s.name.substr(kAverageState.size()) : s.name;  // averages begin as the weights do
    Tensor t = trainee_.load(name);
    return t.empty() ? trainee_.fresh(name, s.type) : t;
  }

  // ---- the steps

  TrainOutcome loop() {
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

  LearningSession::Inputs inputs(const Batch& b, int64_t step, int64_t micro_batch) const {
    const auto seed = static_cast<uint64_t>(recipe_.seed);
    const int64_t first_token = micro_batch * plan_.shape.rows * plan_.shape.length;  // chance is drawn for the tokens of the whole step
    auto in = trainee_.inputs(plan_.shape, b, {step, first_token});
    in["dropout_key"] = {static_cast<int32_t>(seed), static_cast<int32_t>(seed >> 32), static_cast<int32_t>(step), static_cast<int32_t>(first_token)};
    in["loss_scale"] = bits_of(static_cast<float>(precision_->loss_scale()));
    return in;
  }

  StepReport step(Batches& batches) {
    ++state_.step;
    LossSum sum;
    for (int64_t m = 0; m < plan_.micro_batches; ++m) {
      Batch b = batches.next();
      LossSum one = session_->accumulate(inputs(b, state_.step, m), m == 0);
      sum.loss += one.loss, sum.weight += one.weight;
      join(sum.blocks, one.blocks, plan_.micro_batches);
      for (int32_t s : b.seq) state_.tokens += s >= 0;
    }
    state_.cursor = batches.cursor();
    const double loss = sum.weight > 0 ? sum.loss / sum.weight : 0;
    StepReport report{.step = state_.step, .steps = plan_.steps, .tokens = state_.tokens, .epoch = epoch(), .loss = loss};
    report.memory_bytes = memory_, report.loss_scale = precision_->loss_scale();
    report.rate = learning_rate(schedule_, state_.step) * (schedule_.kind == ScheduleKind::plateau ? plateau_.multiplier() : 1);
    const bool too_large = !std::isfinite(loss) && precision_->answers_loss();  // the scale, and not the model
    const auto verdict = too_large ? SpikeGuard::Verdict::skip : guard_.observe(loss);
    const bool taken = verdict == SpikeGuard::Verdict::take && sum.weight > 0;
    const double scale = taken ? 1 / (sum.weight * report.loss_scale) : std::numeric_limits<double>::quiet_NaN();
    report.norm = session_->update({.rate = report.rate, .step = state_.updates + 1, .scale = scale});
    report.skipped = !taken || !std::isfinite(report.norm);
    if (!report.skipped) ++state_.updates;
    bool explained = false;  // an overflow that the loss scale answers is no sign of a run gone wrong
    if (taken || !std::isfinite(loss))
      explained = react(precision_->observe(state_.step, sum.blocks, std::isfinite(loss), std::isfinite(report.norm)));
    if (report.skipped && !explained)
      listener_.note(fmt::format("step {} was skipped: its loss is {:.4g}{}", state_.step, loss,
                                 taken && std::isfinite(loss) ? " and its gradients are not finite" : ""));
    skipped_ = report.skipped && !explained ? skipped_ + 1 : 0;
    wrong_ = verdict == SpikeGuard::Verdict::stop || skipped_ >= SpikeGuard::Limits{}.persistence;
    return report;
  }

  // Whether the step's overflow is dealt with.
  bool react(const PrecisionControl::Reaction& reaction) {
    for (const std::string& note : reaction.notes) {
      listener_.note(note);
      log_->note(state_.step, note);
    }
    if (reaction.changed) {
      LearningPrograms programs = compile(session_->device().target(), plan_.shape, plan_.micro_batches, plan_.recompute, precision_->plan());
      memory_ = memory_bytes(programs);
      session_->replace(std::move(programs));
    }
    return reaction.rescaled;
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
      auto out = session_->evaluate(inputs(batch, 0, i));
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
    std::vector<std::pair<std::string, double>> values = {{"loss", r.loss},
                                                          {"grad_norm", r.norm},
                                                          {"learning_rate", r.rate},
                                                          {"epoch", r.epoch},
                                                          {"tokens", static_cast<double>(r.tokens)},
                                                          {"tokens_per_second", r.tokens_per_second},
                                                          {"mfu", r.fraction_of_peak},
                                                          {"step_time", seconds},
                                                          {"data_wait", r.waited_seconds},
                                                          {"memory_bytes", static_cast<double>(r.memory_bytes)}};
    const PrecisionPlan& formats = precision_->plan();
    if (formats.computes_in(Dtype::f16)) values.emplace_back("loss_scale", r.loss_scale);
    if (formats.usual != Dtype::f32) values.emplace_back("f32_blocks", static_cast<double>(formats.blocks.size()));
    log_->add(r.step, values);
  }

  // ---- checkpoints

  void save(const Batches& batches) {
    const std::string path = checkpoint_path(recipe_.output, state_.step);
    if (saved_step_ == state_.step) return;
    if (std::filesystem::exists(path)) {
      if (!problem_of(path)) return;
      std::filesystem::remove_all(path);  // damaged, and left out when the run began: it would be taken for what is saved now
    }
    state_.cursor = batches.cursor();
    state_.stopping = stopping_.state(), state_.guard = guard_.state(), state_.plateau = plateau_.state();
    state_.precision = precision_->state();
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
      if (session_->changes(s.name) && !kept.contains(s.name)) states.push_back(&s);
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
  std::optional<PrecisionControl> precision_;
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
