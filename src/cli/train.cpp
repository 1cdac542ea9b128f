// motley train [RECIPE.yaml] and motley finetune MODEL: a recipe's fields are the flags. Reports go to standard error; a line of JSON about the
// outcome to standard output with --json.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <type_traits>

#include "api/train_model.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "io/json.h"

namespace motley {
namespace {

constexpr uint64_t kMaxRecipeBytes = 1 << 20;

struct TrainFlags {
  TrainingRecipe recipe;
  std::string file;
  bool json = false, quiet = false, lora = false;
};

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(std::lround(std::max(seconds, 0.0)));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m {:02}s", s / 60, s % 60);
  return fmt::format("{}h {:02}m", s / 3600, s / 60 % 60);
}

std::string bytes_text(int64_t bytes) {
  return bytes < (int64_t{1} << 30) ? fmt::format("{} MiB", bytes >> 20) : fmt::format("{:.1f} GiB", std::ldexp(static_cast<double>(bytes), -30));
}

// One live line on a terminal; elsewhere a line now and then.
class Terminal : public TrainModelListener {
 public:
  explicit Terminal(bool quiet) : quiet_(quiet), live_(isatty(STDERR_FILENO) != 0) {}

  void learns(Task task) override { task_ = task; }
  void model(const std::string& s) override { say("model", s); }
  void data(const std::string& s) override {
    reading_.done();
    say("data", s);
  }
  void reading(int64_t done, int64_t total) override { reading_.show(total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1); }

  void sample(const std::vector<ShownPart>& parts) override {
    std::string text;
    for (const ShownPart& p : parts) text += p.counts ? p.text : fmt::format("[{}]", p.text);
    constexpr size_t kMost = 300;
    say("sample", fmt::format("{}{}", printable(text, kMost), parts.size() > 1 ? "   (in brackets: read, not learned)" : ""));
  }

  void begin(const RunFacts& f) override {
    say("plan", fmt::format("{} ({}, {} threads); {} x {} rows of {} tokens a step; {}; {:.3g} operations a step; {}{}", f.device, f.isa, f.threads,
                            f.micro_batches, f.rows, f.length, bytes_text(f.memory_bytes), f.operations_per_step, f.precision,
                            f.recompute == Recompute::none ? "" : fmt::format("; {} recomputation", to_string(f.recompute))));
    say("run", f.from_step > 0 ? fmt::format("{} steps, going on after step {}", f.steps, f.from_step)
                               : fmt::format("{} steps, the rate rises to {:.3g} in {} of them", f.steps, f.rate, f.warmup));
  }

  void step(const StepReport& r) override {
    last_ = r;
    if (quiet_) return;
    if (!live_ && r.step % every(r.steps) != 0 && r.step != 1) return;
    std::string line = fmt::format("step {}/{}  loss {:.4f}  lr {:.2e}  {:.0f} tok/s", r.step, r.steps, r.loss, r.rate, r.tokens_per_second);
    line += fmt::format("  {:.0f} % of peak  {}  {} left", 100 * r.fraction_of_peak, bytes_text(r.memory_bytes), duration(r.seconds_left));
    if (live_)
      fmt::print(stderr, "\r{}\x1b[K", line);
    else
      fmt::print(stderr, "{}\n", line);
    std::fflush(stderr);
    shown_ = live_;
  }

  void evaluated(const EvalReport& e) override {
    const std::string quality = e.accuracy ? fmt::format("accuracy {:.2f} %", 100 * *e.accuracy) : fmt::format("perplexity {:.2f}", std::exp(e.loss));
    say("eval", fmt::format("step {}: loss {:.4f}, {}, {} scored in {}{}", e.step, e.loss, quality, e.scored, duration(e.seconds),
                            e.best ? ", the best so far" : ""));
  }
  void saved(const std::string& path) override { say("saved", path); }
  void note(const std::string& sentence) override { say("note", sentence); }
  bool stop() override { return interrupt_.asked(); }

  const StepReport& last() const { return last_; }
  Task task() const { return task_; }
  void end_line() {
    if (shown_) fmt::print(stderr, "\n");
    shown_ = false;
  }

 private:
  static int64_t every(int64_t steps) { return std::max<int64_t>(steps / 50, 1); }
  void say(const char* what, const std::string& sentence) {
    if (quiet_) return;
    end_line();
    fmt::print(stderr, "{:<7} {}\n", what, sentence);
  }

  bool quiet_, live_, shown_ = false;
  Task task_ = Task::language_model;
  StepReport last_;
  Progress reading_{"reading", true};
  Interrupt interrupt_{Interrupt::Signals::all};
};

const char* end_name(TrainOutcome::End end) {
  switch (end) {
    case TrainOutcome::End::finished:
      return "finished";
    case TrainOutcome::End::early:
      return "early";
    case TrainOutcome::End::interrupted:
      return "interrupted";
    case TrainOutcome::End::diverged:
      return "diverged";
  }
  return "";
}

// How the result is tried.
std::string next_command(const TrainingRecipe& r, Task task) {
  const std::string model = r.adapter.empty() ? r.output : fmt::format("{} --adapter {}", r.model, r.output);
  if (task == Task::language_model) return fmt::format("motley run {} -p \"Once upon a time\"", model);
  if (task == Task::masked_language_model) return fmt::format("motley show {}", model);
  return fmt::format("motley {} {} -p \"a text\"", task == Task::embedding ? "embed" : "classify", model);
}

int train_command(TrainFlags& f, RecipeKind kind) {
  if (f.lora && !f.recipe.adapter.empty() && f.recipe.adapter != "lora")
    fail(ErrorKind::usage, "train", "--lora and --adapter {} say two things; choose one", f.recipe.adapter);
  if (f.lora) f.recipe.adapter = "lora";
  Terminal terminal(f.quiet);
  TrainOutcome outcome = train_model(f.recipe, kind, terminal);
  terminal.end_line();
  if (f.json)
    fmt::print("{}\n", Json{{"end", end_name(outcome.end)},
                            {"step", outcome.step},
                            {"loss", terminal.last().loss},
                            {"best_eval_loss", outcome.best_loss ? Json(*outcome.best_loss) : Json()},
                            {"best_step", outcome.best_step},
                            {"tokens", terminal.last().tokens},
                            {"output", f.recipe.output}}
                           .dump());
  switch (outcome.end) {
    case TrainOutcome::End::interrupted:
      if (!f.quiet) fmt::print(stderr, "stopped after step {}; the same command goes on from there\n", outcome.step);
      return 130;
    case TrainOutcome::End::diverged:
      fail(ErrorKind::runtime, "train",
           "the loss has been out of hand for several steps, so step {} is the last; the checkpoints in {} are from before. "
           "Try a smaller --learning-rate or a longer --warmup",
           outcome.step, f.recipe.output);
    case TrainOutcome::End::early:
      if (!f.quiet) fmt::print(stderr, "no better for {} evaluations: the model of step {} is the result\n", f.recipe.patience, outcome.best_step);
      break;
    case TrainOutcome::End::finished:
      break;
  }
  if (!f.quiet)
    fmt::print(stderr, "done    {} holds the {}; try: {}\n", f.recipe.output, f.recipe.adapter.empty() ? "model" : "adapter",
               next_command(f.recipe, terminal.task()));
  return 0;
}

// model: how that flag is spelled.
void add_fields(CLI::App& app, TrainFlags& f, const std::string& model) {
  for_each_field(f.recipe, [&](const std::string& name, auto& value, const char* help, FieldRole) {
    const std::string flag = name == "model" ? model : name == "threads" ? "-t,--threads" : name == "output" ? "-o,--output" : "--" + name;
    if constexpr (std::is_same_v<decltype(value), bool&>)
      app.add_flag(flag, value, help);
    else
      app.add_option(flag, value, help)->capture_default_str();
  });
  app.add_flag("--lora", f.lora, "the same as --adapter lora");
  app.add_flag("--json", f.json, "a line of JSON about the outcome on standard output");
  app.add_flag("-q,--quiet", f.quiet, "say nothing but errors");
}

}  // namespace

Body add_train(CLI::App& app) {
  auto f = std::make_shared<TrainFlags>();
  app.add_option("recipe", f->file, "a YAML file with the fields below as keys; flags win over it");
  add_fields(app, *f, "-m,--model");
  return [f] { return train_command(*f, RecipeKind::pretrain); };
}

Body add_finetune(CLI::App& app) {
  auto f = std::make_shared<TrainFlags>();
  f->recipe.weight_decay = 0.01;
  add_fields(app, *f, "model,-m,--model");
  return [f] { return train_command(*f, RecipeKind::finetune); };
}

}  // namespace motley
