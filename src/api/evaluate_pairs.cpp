#include "api/evaluate_pairs.h"

#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "io/dataset/read_records.h"

namespace motley {
namespace {

constexpr size_t kAtOnce = 256;  // pairs whose vectors are in memory

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0, of_a = 0, of_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    product += x * y, of_a += x * x, of_b += y * y;
  }
  return of_a > 0 && of_b > 0 ? product / std::sqrt(of_a * of_b) : 0;
}

}  // namespace

PairEvaluation evaluate_pairs(const std::string& model, const LabelEvaluationOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  DataOptions data = options.data;
  data.labels = LabelKind::values;
  const RecordSource source = find_records(data, "");
  if (source.form.columns.pair.empty())
    fail(ErrorKind::usage, "eval", "{} is {}: vectors are measured on pairs of texts with a number each; say which with --pair-column", data.path,
         source.form.words);
  ReaderOptions how = options.reader;
  how.embed = true;
  TextReader reader = open_reader(model, how);

  PairEvaluation e;
  std::vector<float> wanted, told;
  std::vector<TextItem> texts;  // the first of a pair, then the second
  auto embed = [&] {
    const auto vectors = embed_texts(reader, texts);
    for (size_t i = 0; i < vectors.size(); i += 2) told.push_back(static_cast<float>(cosine(vectors[i], vectors[i + 1])));
    texts.clear();
  };
  BadRecords bad;
  const int64_t total = read_records(source, data, bad, [&](Record&& r) {
    const auto number = parse_double(r.labels[0]);
    if (!number || !std::isfinite(*number) || trim(r.pair).empty()) {
      const std::string why =
          trim(r.pair).empty() ? "the second text is empty" : fmt::format("the label '{}' is no number", printable(r.labels[0], 40));
      return bad.add(short_name(source.files[r.file]), r.line, why);
    }
    wanted.push_back(static_cast<float>(*number));
    texts.push_back({std::move(r.text), {}});
    texts.push_back({std::move(r.pair), {}});
    if (texts.size() >= 2 * kAtOnce) embed();
  });
  e.warnings = bad.report(total);
  if (wanted.empty()) fail(ErrorKind::file, "eval", "{}: there is no pair with a number in {} records", data.path, total);
  embed();
  e.data = fmt::format("{} records, {}", with_commas(static_cast<int64_t>(wanted.size())), source.form.words);
  e.cosines = score_numbers(wanted, told);
  e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return e;
}

}  // namespace motley
