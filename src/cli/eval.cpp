// motley eval MODEL: what it is worth on texts (--ppl FILE) or on data with the right answers beside them (--data FILE). Gates turn a figure into an
// exit code.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "api/evaluate.h"
#include "api/generation_defaults.h"
#include "api/perplexity.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/eval_report.h"
#include "cli/flags.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "nn/families.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;
constexpr uint64_t kMaxTextBytes = uint64_t{1} << 30;

// A figure that has to be reached.
struct Gate {
  const char *flag, *what;
  bool most;  // the figure may be at most the bound, otherwise at least
  std::optional<double> bound = std::nullopt;
};

struct EvalFlags {
  ModelFlags model;
  std::string ppl;
  DataOptions data;
  std::vector<std::string> ensemble;
  int64_t window = 512, max_tokens = 256;
  BeamFlags beams;
  bool answers = false, json = false, quiet = false;
  std::vector<Gate> gates = {{"--max-ppl", "perplexity", true},     {"--max-loss", "loss", true},
                             {"--min-accuracy", "accuracy", false}, {"--min-f1", "macro F1", false},
                             {"--min-pearson", "Pearson", false},   {"--min-spearman", "Spearman", false},
                             {"--min-bleu", "BLEU", false},         {"--min-exact-match", "exact match", false}};
};

// The figures of an evaluation by the names that gates know.
using Figures = std::vector<std::pair<std::string, double>>;

void pass_gates(const EvalFlags& f, const Figures& figures) {
  std::string failed;
  for (const Gate& gate : f.gates) {
    if (!gate.bound) continue;
    auto it = std::ranges::find(figures, gate.what, &Figures::value_type::first);
    if (it == figures.end()) fail(ErrorKind::usage, "eval", "{} asks for the {}, which this evaluation does not give", gate.flag, gate.what);
    if (gate.most ? it->second <= *gate.bound : it->second >= *gate.bound) continue;  // what is no number passes none
    failed += fmt::format("{}{} {:.4f} is {} the gate of {}", failed.empty() ? "" : "; ", gate.what, it->second, gate.most ? "above" : "below",
                          *gate.bound);
  }
  if (!failed.empty()) fail(ErrorKind::quality, "eval", "{}", failed);
}

void print_json(const OrderedJson& json) { fmt::print("{}\n", json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace)); }

void warn(const EvalFlags& f, const std::vector<std::string>& warnings) {
  for (const std::string& w : warnings)
    if (!f.quiet) fmt::print(stderr, "motley: {}\n", w);
}

// A text's tokens: no special tokens but a BOS at its start where the tokenizer adds one.
std::vector<int32_t> text_tokens(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int32_t> ids = tokenizer.encode(text, {.add_special = false}), around = tokenizer.encode("", {.add_special = true});
  int32_t bos = tokenizer.special().bos;
  if (bos >= 0 && !around.empty() && around[0] == bos) ids.insert(ids.begin(), bos);
  return ids;
}

// A model that continues texts, with a context of so many tokens at least.
OpenModel open_generator(const EvalFlags& f, const ModelConfig& config, int64_t window, int64_t context, int64_t beams = 1) {
  ModelOptions options = f.model.options();
  Progress loading("loading", !f.quiet);
  options.session.progress = loading.bytes();
  if (!options.plan.context) options.plan.context = std::min(context, config.max_positions);
  if (*options.plan.context < window) fail(ErrorKind::usage, "eval", "windows of --ctx {} do not fit a context of {}", window, *options.plan.context);
  options.plan.sequences = std::max(options.plan.sequences.value_or(1), beams);
  if (!options.plan.kv_type) options.plan.kv_type = Dtype::f32;
  options.plan.rows = std::clamp<int64_t>((int64_t{1} << 24) / config.vocab, 1, window);
  OpenModel model = open_model(f.model.model, options);
  loading.done();
  if (!model.tokenizer) fail(ErrorKind::file, "eval", "{} has no tokenizer, so a text cannot be measured", model.path);
  return model;
}

int eval_text(const EvalFlags& f, const ModelConfig& config) {
  const std::string text = read_file(f.ppl, kMaxTextBytes);
  const int64_t window = std::min(f.window, config.max_positions);
  OpenModel model = open_generator(f, config, window, window);
  Scheduler scheduler(*model.session);
  Progress progress("measuring", !f.quiet);
  Perplexity p = perplexity(scheduler, text_tokens(*model.tokenizer, text), window,
                            [&](double fraction, double ppl) { progress.show(fraction, fmt::format("perplexity {:.4f}", ppl)); });
  progress.done();
  if (f.json)
    fmt::print("{{\"ppl\":{:.9g},\"nll\":{:.9g},\"tokens\":{}}}\n", p.ppl, p.nll, p.tokens);
  else
    fmt::print("perplexity {:.4f} (nll {:.6f} per token, {} tokens scored in windows of {})\n", p.ppl, p.nll, p.tokens, window);
  pass_gates(f, {{"perplexity", p.ppl}, {"loss", p.nll}});
  return 0;
}

LabelEvaluationOptions reading(const EvalFlags& f, Progress& loading) {
  const ModelOptions options = f.model.options();
  LabelEvaluationOptions how;
  how.reader.device = options.device, how.reader.tokenizer = options.tokenizer, how.reader.adapter = options.adapter;
  how.reader.wishes = options.wishes, how.reader.session = options.session;
  how.reader.session.progress = loading.bytes();
  how.data = f.data;
  return how;
}

int eval_pairs(const EvalFlags& f) {
  if (f.answers || !f.ensemble.empty())
    fail(ErrorKind::usage, "eval", "{} makes vectors of texts, which {} is not for", f.model.model, f.answers ? "--answers" : "--ensemble");
  Progress loading("loading", !f.quiet);
  const PairEvaluation e = evaluate_pairs(f.model.model, reading(f, loading));
  loading.done();
  warn(f, e.warnings);
  if (f.json) {
    OrderedJson json = {{"models", {f.model.model}}};
    json.update(json_of(e));
    print_json(json);
  } else {
    fmt::print("{}", text_of(e));
  }
  pass_gates(f, {{"Pearson", e.cosines.pearson}, {"Spearman", e.cosines.spearman}});
  return 0;
}

int eval_labels(const EvalFlags& f) {
  if (f.answers) fail(ErrorKind::usage, "eval", "--answers is for models that write; {} tells labels", f.model.model);
  std::vector<std::string> models = {f.model.model};
  models.insert(models.end(), f.ensemble.begin(), f.ensemble.end());
  Progress loading("loading", !f.quiet);
  const LabelEvaluationOptions how = reading(f, loading);
  const LabelEvaluation e = evaluate_labels(models, how);
  loading.done();
  warn(f, e.warnings);
  if (f.json) {
    OrderedJson json = {{"models", models}};
    json.update(json_of(e));
    print_json(json);
  } else {
    fmt::print("{}", text_of(e));
  }
  Figures figures = {{"loss", e.loss}};
  if (e.classes) figures.insert(figures.end(), {{"accuracy", e.classes->accuracy}, {"macro F1", e.classes->macro.f1}});
  if (e.several) figures.insert(figures.end(), {{"accuracy", e.several->subset_accuracy}, {"macro F1", e.several->macro.f1}});
  if (e.numbers) figures.insert(figures.end(), {{"Pearson", e.numbers->pearson}, {"Spearman", e.numbers->spearman}});
  pass_gates(f, figures);
  return 0;
}

int eval_writer(const EvalFlags& f, const Checkpoint& checkpoint, const ModelConfig& config) {
  if (!f.ensemble.empty()) fail(ErrorKind::usage, "eval", "--ensemble is for models that tell labels; {} continues texts", f.model.model);
  auto tokenizer = f.model.tokenizer.empty() ? find_tokenizer(checkpoint) : Tokenizer::load(resolve_model(f.model.tokenizer));
  if (!tokenizer) fail(ErrorKind::file, "eval", "{} has no tokenizer, so data cannot be read for it", checkpoint.path());
  DataOptions data = f.data;
  data.answers = reads_sources(config);
  const Samples samples = read_samples(data, *tokenizer);
  warn(f, samples.warnings());
  const AnswerOptions answers{.max_tokens = f.max_tokens, .beams = f.beams.options(default_beams(checkpoint, config), {})};
  const int64_t window = std::min(f.window, config.max_positions);
  int64_t longest = 0;
  for (int64_t i = 0; i < samples.size(); ++i) longest = std::max(longest, static_cast<int64_t>(samples.ids(i).size()));
  OpenModel model =
      open_generator(f, config, window, f.answers ? std::max(window, longest + f.max_tokens) : std::max(window, data.answers ? longest : 0),
                     f.answers ? answers.beams.count : 1);
  Scheduler scheduler(*model.session);
  Progress measuring("measuring", !f.quiet);
  const auto show = [&](double fraction, double ppl) { measuring.show(fraction, fmt::format("perplexity {:.4f}", ppl)); };
  const Perplexity p = data.answers ? answer_perplexity(model, scheduler, samples, show) : perplexity(scheduler, samples, window, show);
  measuring.done();
  Figures figures = {{"perplexity", p.ppl}, {"loss", p.nll}};
  OrderedJson json = {{"task", task_name(config.task)},
                      {"data", samples.description()},
                      {"samples", samples.size()},
                      {"ppl", p.ppl},
                      {"nll", p.nll},
                      {"tokens", p.tokens}};
  if (!f.json)
    fmt::print("perplexity {:.4f} (nll {:.6f} per token, {} tokens of {} samples scored{})\n", p.ppl, p.nll, p.tokens, samples.size(),
               data.answers ? "" : fmt::format(" in windows of {}", window));
  if (f.answers) {
    Progress writing("writing", !f.quiet);
    const AnswerEvaluation e = evaluate_answers(model, scheduler, samples, answers, [&](double fraction) { writing.show(fraction); });
    writing.done();
    figures.insert(figures.end(), {{"BLEU", e.bleu.score}, {"exact match", e.exact_match}});
    json.update(json_of(e));
    if (!f.json) fmt::print("{}", text_of(e));
  }
  if (f.json) print_json(json);
  pass_gates(f, figures);
  return 0;
}

int eval(const EvalFlags& f) {
  if (f.ppl.empty() == f.data.path.empty())
    fail(ErrorKind::usage, "eval", "say what to measure: --ppl FILE (a text) or --data FILE (samples, perhaps with labels or answers)");
  auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(resolve_model(f.model.model)));
  ModelConfig config = model_from_checkpoint(checkpoint).config;
  if (!f.model.adapter.empty()) config = with_head_of(read_peft(f.model.adapter), config);
  if (!f.ppl.empty() && reads_sources(config))
    fail(ErrorKind::usage, "eval", "{} answers texts and continues none: measure it on --data with texts and their answers", checkpoint->path());
  if (!f.ppl.empty()) return eval_text(f, config);
  if (one_per_text(config.task)) return eval_labels(f);
  if (config.task == Task::embedding) return eval_pairs(f);
  if (config.task == Task::language_model) return eval_writer(f, *checkpoint, config);
  fail(ErrorKind::usage, "eval", "{} is made for '{}', which --data does not measure yet", checkpoint->path(), task_name(config.task));
}

}  // namespace

Body add_eval(CLI::App& app) {
  auto f = std::make_shared<EvalFlags>();
  f->model.add(app);
  app.add_option("--ppl", f->ppl, "a text file: its perplexity");
  app.add_option("--data", f->data.path, "data to measure on (a file, a folder or a pattern): labels told, or texts and answers predicted");
  app.add_option("--format", f->data.format, "the data's format, where it is not to be found out");
  app.add_option("--text-column", f->data.text_column, "the column or key that holds the text");
  app.add_option("--pair-column", f->data.pair_column, "that of a second text");
  app.add_option("--label-column", f->data.label_column, "that of the label");
  app.add_option("--ensemble", f->ensemble, "another model that tells the same labels: the mean of all logits counts (may be given several times)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_flag("--answers", f->answers, "also write an answer to each prompt of the data: BLEU and exact match beside the given ones");
  app.add_option("-n,--max-tokens", f->max_tokens, "--answers: most tokens of one")->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  f->beams.add(app);
  app.add_option("--ctx", f->window, "tokens of a window")->check(CLI::Range(int64_t{2}, int64_t{1} << 40));
  for (Gate& gate : f->gates)
    app.add_option(gate.flag, gate.bound, fmt::format("a gate: exit code 7 when the {} is {} it", gate.what, gate.most ? "above" : "below"));
  app.add_flag("--json", f->json, "print one JSON object");
  app.add_flag("-q,--quiet", f->quiet, "show no progress");
  return [f] { return eval(*f); };
}

}  // namespace motley
