// Every figure against scikit-learn's, scipy's and sacrebleu's (tools/make_metric_vectors.py).
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "metrics/bleu.h"
#include "metrics/classification.h"
#include "metrics/regression.h"

namespace motley {
namespace {

using nlohmann::json;

const json& vectors() {
  static const json all = json::parse(std::ifstream(MOTLEY_SOURCE_DIR "/tests/data/metrics.json"));
  return all;
}

void expect_label(const ClassScore& got, const json& expected, const std::string& what) {
  EXPECT_NEAR(got.precision, expected["precision"].get<double>(), 1e-12) << what;
  EXPECT_NEAR(got.recall, expected["recall"].get<double>(), 1e-12) << what;
  EXPECT_NEAR(got.f1, expected["f1"].get<double>(), 1e-12) << what;
  if (expected.contains("support")) {
    EXPECT_EQ(got.support, expected["support"].get<int64_t>()) << what;
  }
}

void expect_averages(const LabelAverages& got, const json& expected) {
  expect_label(got.macro, expected["macro"], "macro");
  expect_label(got.micro, expected["micro"], "micro");
  expect_label(got.weighted, expected["weighted"], "weighted");
}

TEST(Metrics, ClassesAsScikitLearnScoresThem) {
  ASSERT_GE(vectors()["classification"].size(), 4u);
  for (const json& c : vectors()["classification"]) {
    const auto truth = c["truth"].get<std::vector<int32_t>>(), predicted = c["predicted"].get<std::vector<int32_t>>();
    const ClassificationScore s = score_classes(truth, predicted, c["classes"].get<int64_t>());
    EXPECT_NEAR(s.accuracy, c["accuracy"].get<double>(), 1e-12);
    EXPECT_EQ(json(s.confusion), c["confusion"]);
    for (size_t l = 0; l < s.classes.size(); ++l) expect_label(s.classes[l], c["each"][l], "class " + std::to_string(l));
    expect_averages(s, c);
  }
}

TEST(Metrics, SeveralLabelsAsScikitLearnScoresThem) {
  for (const json& c : vectors()["multi_label"]) {
    const auto truth = c["truth"].get<std::vector<uint8_t>>(), predicted = c["predicted"].get<std::vector<uint8_t>>();
    const MultiLabelScore s = score_multi_label(truth, predicted, c["labels"].get<int64_t>());
    EXPECT_NEAR(s.subset_accuracy, c["subset_accuracy"].get<double>(), 1e-12);
    EXPECT_NEAR(s.hamming_loss, c["hamming_loss"].get<double>(), 1e-12);
    for (size_t l = 0; l < s.labels.size(); ++l) expect_label(s.labels[l], c["each"][l], "label " + std::to_string(l));
    expect_averages(s, c);
  }
}

TEST(Metrics, NumbersAsScipyScoresThem) {
  for (const json& c : vectors()["regression"]) {
    const auto truth = c["truth"].get<std::vector<float>>(), predicted = c["predicted"].get<std::vector<float>>();
    const RegressionScore s = score_numbers(truth, predicted);
    for (auto [got, key] : {std::pair(s.pearson, "pearson"), {s.spearman, "spearman"}, {s.mse, "mse"}, {s.mae, "mae"}}) {
      const double expected = c[key].is_null() ? 0 : c[key].get<double>();
      EXPECT_EQ(std::isnan(got), c[key].is_null()) << key;
      if (!std::isnan(got)) {
        EXPECT_NEAR(got, expected, 1e-9 * (1 + std::fabs(expected))) << key;
      }
    }
  }
}

TEST(Metrics, BleuAsSacrebleuScoresIt) {
  ASSERT_GE(vectors()["bleu"].size(), 6u);
  for (const json& c : vectors()["bleu"]) {
    const auto texts = c["texts"].get<std::vector<std::string>>(), references = c["references"].get<std::vector<std::string>>();
    const BleuScore s = corpus_bleu(texts, references);
    EXPECT_NEAR(s.score, c["score"].get<double>(), 1e-9) << c["texts"];
    EXPECT_NEAR(s.brevity_penalty, c["brevity_penalty"].get<double>(), 1e-12);
    EXPECT_EQ(s.tokens, c["tokens"].get<int64_t>());
    EXPECT_EQ(s.reference_tokens, c["reference_tokens"].get<int64_t>());
    for (size_t n = 0; n < 4; ++n) EXPECT_NEAR(s.precisions[n], c["precisions"][n].get<double>(), 1e-9);
  }
}

TEST(Metrics, TextsAreTokenisedAsBy13a) {
  ASSERT_GE(vectors()["tokens_13a"].size(), 15u);
  for (const json& c : vectors()["tokens_13a"]) EXPECT_EQ(json(tokenize_13a(c["text"].get<std::string>())), c["tokens"]) << c["text"];
}

}  // namespace
}  // namespace motley
