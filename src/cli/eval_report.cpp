#include "cli/eval_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace motley {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr size_t kMostMatrix = 20;  // classes; a larger one is for --json
constexpr size_t kLabelWidth = 24;

// Not a number is null in JSON, and a word for people.
OrderedJson number(double x) { return std::isfinite(x) ? OrderedJson(x) : OrderedJson(); }
std::string shown(double x) { return std::isfinite(x) ? fmt::format("{:.4f}", x) : "undefined"; }

OrderedJson json_of(const ClassScore& s) { return {{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}}; }

OrderedJson json_of(const LabelAverages& a) { return {{"macro", json_of(a.macro)}, {"micro", json_of(a.micro)}, {"weighted", json_of(a.weighted)}}; }

OrderedJson json_of(const std::vector<ClassScore>& scores, const std::vector<std::string>& labels) {
  auto all = OrderedJson::array();
  for (size_t i = 0; i < scores.size(); ++i) {
    OrderedJson one = {{"label", labels[i]}};
    one.update(json_of(scores[i]));
    one["support"] = scores[i].support, one["predicted"] = scores[i].predicted;
    all.push_back(std::move(one));
  }
  return all;
}

std::string label_of(const std::string& label) { return printable(label, kLabelWidth - 3); }

size_t width_of(const std::vector<std::string>& labels) {
  size_t width = 8;
  for (const std::string& l : labels) width = std::max(width, label_of(l).size());
  return width;
}

std::string row_of(const std::string& name, const ClassScore& s, size_t width) {
  return fmt::format("{:<{}}  {:>9.4f}  {:>6.4f}  {:>6.4f}  {:>7}\n", name, width, s.precision, s.recall, s.f1, s.support);
}

std::string table_of(const std::vector<ClassScore>& scores, const LabelAverages& a, const std::vector<std::string>& labels) {
  const size_t width = width_of(labels);
  std::string out = fmt::format("\n{:<{}}  precision  recall      F1    texts\n", "label", width);
  for (size_t i = 0; i < scores.size(); ++i) out += row_of(label_of(labels[i]), scores[i], width);
  return out + row_of("macro", a.macro, width) + row_of("micro", a.micro, width) + row_of("weighted", a.weighted, width);
}

std::string matrix_of(const std::vector<std::vector<int64_t>>& confusion, const std::vector<std::string>& labels) {
  if (confusion.size() > kMostMatrix) return fmt::format("\nthe confusion matrix of {} classes is printed with --json\n", confusion.size());
  const size_t width = width_of(labels);
  std::vector<size_t> columns;
  for (size_t c = 0; c < confusion.size(); ++c) {
    columns.push_back(label_of(labels[c]).size());
    for (const auto& row : confusion) columns.back() = std::max(columns.back(), fmt::formatted_size("{}", row[c]));
  }
  std::string out = fmt::format("\nconfusion (a row for what texts are, a column for what was told)\n{:<{}}", "", width);
  for (size_t c = 0; c < columns.size(); ++c) out += fmt::format("  {:>{}}", label_of(labels[c]), columns[c]);
  for (size_t r = 0; r < confusion.size(); ++r) {
    out += fmt::format("\n{:<{}}", label_of(labels[r]), width);
    for (size_t c = 0; c < columns.size(); ++c) out += fmt::format("  {:>{}}", confusion[r][c], columns[c]);
  }
  return out + "\n";
}

}  // namespace

std::string text_of(const LabelEvaluation& e) {
  if (e.classes)
    return fmt::format("accuracy {:.4f}, macro F1 {:.4f} (loss {:.6f}, {} texts)\n", e.classes->accuracy, e.classes->macro.f1, e.loss, e.samples) +
           table_of(e.classes->classes, *e.classes, e.labels) + matrix_of(e.classes->confusion, e.labels);
  if (e.several)
    return fmt::format("subset accuracy {:.4f}, macro F1 {:.4f}, micro F1 {:.4f}, hamming loss {:.4f} (loss {:.6f}, {} texts)\n",
                       e.several->subset_accuracy, e.several->macro.f1, e.several->micro.f1, e.several->hamming_loss, e.loss, e.samples) +
           table_of(e.several->labels, *e.several, e.labels);
  return fmt::format("Pearson {}, Spearman {}, mean squared error {:.6g}, mean absolute error {:.6g} ({} texts)\n", shown(e.numbers->pearson),
                     shown(e.numbers->spearman), e.numbers->mse, e.numbers->mae, e.samples);
}

OrderedJson json_of(const LabelEvaluation& e) {
  OrderedJson json = {{"task", task_name(e.task)}, {"data", e.data}, {"samples", e.samples}, {"loss", number(e.loss)}};
  if (e.classes) {
    json["accuracy"] = e.classes->accuracy;
    json.update(json_of(static_cast<const LabelAverages&>(*e.classes)));
    json["labels"] = json_of(e.classes->classes, e.labels);
    json["confusion"] = e.classes->confusion;
  } else if (e.several) {
    json["subset_accuracy"] = e.several->subset_accuracy, json["hamming_loss"] = e.several->hamming_loss;
    json.update(json_of(static_cast<const LabelAverages&>(*e.several)));
    json["labels"] = json_of(e.several->labels, e.labels);
  } else {
    json["pearson"] = number(e.numbers->pearson), json["spearman"] = number(e.numbers->spearman);
    json["mse"] = number(e.numbers->mse), json["mae"] = number(e.numbers->mae);
  }
  json["seconds"] = e.seconds;
  return json;
}

std::string text_of(const PairEvaluation& e) {
  return fmt::format("cosines of {} pairs: Spearman {}, Pearson {}\n", e.cosines.samples, shown(e.cosines.spearman), shown(e.cosines.pearson));
}

OrderedJson json_of(const PairEvaluation& e) {
  return {{"task", task_name(Task::embedding)},   {"data", e.data},      {"samples", e.cosines.samples}, {"spearman", number(e.cosines.spearman)},
          {"pearson", number(e.cosines.pearson)}, {"seconds", e.seconds}};
}

std::string text_of(const AnswerEvaluation& e) {
  const auto& b = e.bleu;
  std::string out = fmt::format(
      "BLEU {:.2f} ({:.1f}/{:.1f}/{:.1f}/{:.1f}, brevity penalty {:.3f}, {} words for {}), exact match {:.4f} ({} answers)\n", b.score,
      b.precisions[0], b.precisions[1], b.precisions[2], b.precisions[3], b.brevity_penalty, b.tokens, b.reference_tokens, e.exact_match, e.answers);
  if (e.left_out > 0) out += fmt::format("{} samples have no prompt, or do not fit the context, and were left out\n", e.left_out);
  if (e.unfinished > 0) out += fmt::format("{} answers were cut at --max-tokens\n", e.unfinished);
  return out;
}

OrderedJson json_of(const AnswerEvaluation& e) {
  return {{"bleu", e.bleu.score},
          {"bleu_precisions", e.bleu.precisions},
          {"brevity_penalty", e.bleu.brevity_penalty},
          {"exact_match", e.exact_match},
          {"answers", e.answers},
          {"left_out", e.left_out},
          {"unfinished", e.unfinished},
          {"answer_seconds", e.seconds}};
}

}  // namespace motley
