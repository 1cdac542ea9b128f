// motley classify MODEL -p TEXT: what a model says of texts: labels with probabilities, labels of tokens, or where an answer is.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/reader_flags.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct ClassifyFlags {
  ReaderFlags reader;
  std::string pair;
  std::vector<std::string> ensemble;
  size_t top = 0;
};

std::span<const LabelScore> best(const Judgement& j, const ClassifyFlags& f) {
  return std::span(j.labels).first(f.top > 0 ? std::min(f.top, j.labels.size()) : j.labels.size());
}

OrderedJson json_of(const Judgement& j, const TextItem& item, const ClassifyFlags& f) {
  OrderedJson json = {{"text", item.text}};
  if (item.second) json["pair"] = *item.second;
  auto labels = OrderedJson::array(), tokens = OrderedJson::array();
  for (const LabelScore& l : best(j, f)) labels.push_back({{"label", l.label}, {"score", l.score}});
  for (const JudgedToken& t : j.tokens) tokens.push_back({{"id", t.id}, {"token", t.text}, {"label", t.best.label}, {"score", t.best.score}});
  if (!j.labels.empty()) json["labels"] = labels;
  if (!j.tokens.empty()) json["tokens"] = tokens;
  if (j.answer) json["answer"] = {{"text", j.answer->text}, {"score", j.answer->score}};
  if (j.cut > 0) json["cut_tokens"] = j.cut;
  return json;
}

// One text has a line for each of its labels; of several each has one line, with the text behind it.
std::string text_of(const Judgement& j, const TextItem& item, bool alone, const ClassifyFlags& f) {
  std::string out;
  if (j.answer) out += fmt::format("{:.4f}  {}", j.answer->score, printable(j.answer->text));
  for (const LabelScore& l : best(j, f)) out += fmt::format("{}{:.4f}  {}", out.empty() ? "" : alone ? "\n" : "  ", l.score, printable(l.label));
  for (const JudgedToken& t : j.tokens)
    out += fmt::format("{}{:.4f}  {:<16} {}", out.empty() ? "" : "\n", t.best.score, printable(t.best.label), printable(t.text));
  if (!alone && j.tokens.empty()) out += fmt::format("\t{}", printable(item.text));
  return out + "\n";
}

// By one model, or by all of an ensemble.
JointJudgement judge(const ClassifyFlags& f, const ReaderOptions& options, std::span<const TextItem> items) {
  if (!f.ensemble.empty()) {
    std::vector<std::string> models = {f.reader.model};
    models.insert(models.end(), f.ensemble.begin(), f.ensemble.end());
    return judge_together(models, options, items);
  }
  TextReader reader = open_reader(f.reader.model, options);
  return {reader.config(), judge_texts(reader, items), reader.session->load_seconds(), reader.session->longest_text()};
}

int classify(const ClassifyFlags& f) {
  std::vector<TextItem> items = f.reader.items("classify", true);
  if (!f.pair.empty())
    for (TextItem& item : items) item.second = f.pair;
  ReaderOptions options = f.reader.options();
  Progress loading("loading", !f.reader.quiet);
  options.session.progress = loading.bytes();
  const auto start = std::chrono::steady_clock::now();
  const JointJudgement said = judge(f, options, items);
  loading.done();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() - said.load_seconds;
  const auto& judgements = said.judgements;
  std::string out;
  int64_t cut = 0;
  auto results = OrderedJson::array();
  for (size_t i = 0; i < items.size(); ++i) {
    cut += judgements[i].cut > 0;
    if (f.reader.json)
      results.push_back(json_of(judgements[i], items[i], f));
    else
      out += text_of(judgements[i], items[i], items.size() == 1, f);
  }
  if (f.reader.json) {
    OrderedJson json = {
        {"task", task_name(said.config.task)}, {"results", results}, {"timings", {{"load_s", said.load_seconds}, {"run_s", seconds}}}};
    out = json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  } else if (cut > 0 && !f.reader.quiet) {
    fmt::print(stderr, "motley: {} of {} texts are longer than the {} tokens this model reads; their ends were not read\n", cut, items.size(),
               said.longest_text);
  }
  return write_output(out) ? 0 : static_cast<int>(ErrorKind::runtime);
}

}  // namespace

Body add_classify(CLI::App& app) {
  auto f = std::make_shared<ClassifyFlags>();
  f->reader.add(app, "a file with a text on each line, or two parted by a tab (default without -p: standard input)");
  app.add_option("--pair", f->pair, "a second text that is judged with each: what a sentence may mean, where an answer is looked for");
  app.add_option("--ensemble", f->ensemble, "another model that tells the same labels: the mean of all logits counts (may be given several times)")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  app.add_option("--top-k", f->top, "show only the k likeliest labels")->check(CLI::Range(size_t{1}, size_t{1} << 20));
  return [f] { return classify(*f); };
}

}  // namespace motley
