#include "metrics/classification.h"

#include "base/check.h"

namespace motley {
namespace {

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

ClassScore score_of(int64_t right, int64_t support, int64_t predicted) {
  ClassScore s{.support = support, .predicted = predicted};
  s.precision = ratio(static_cast<double>(right), static_cast<double>(predicted));
  s.recall = ratio(static_cast<double>(right), static_cast<double>(support));
  s.f1 = ratio(2 * static_cast<double>(right), static_cast<double>(predicted + support));
  return s;
}

LabelAverages averages_of(std::span<const ClassScore> labels, int64_t right, bool all) {
  LabelAverages a;
  int64_t support = 0, predicted = 0;
  double counted = 0;
  for (const ClassScore& l : labels) {
    support += l.support, predicted += l.predicted;
    if (all || l.support + l.predicted > 0) ++counted;
  }
  auto add = [](ClassScore& to, const ClassScore& l, double share) {
    to.precision += share * l.precision, to.recall += share * l.recall, to.f1 += share * l.f1;
  };
  for (const ClassScore& l : labels) {
    add(a.macro, l, ratio(1, counted));
    add(a.weighted, l, ratio(static_cast<double>(l.support), static_cast<double>(support)));
  }
  a.micro = score_of(right, support, predicted);
  a.macro.support = a.weighted.support = support;
  a.macro.predicted = a.weighted.predicted = predicted;
  return a;
}

}  // namespace

ClassificationScore score_classes(std::span<const int32_t> truth, std::span<const int32_t> predicted, int64_t classes) {
  check(truth.size() == predicted.size(), "a prediction for each sample");
  ClassificationScore s;
  s.samples = static_cast<int64_t>(truth.size());
  const auto n = static_cast<size_t>(classes);
  s.confusion.assign(n, std::vector<int64_t>(n, 0));
  for (size_t i = 0; i < truth.size(); ++i) {
    check(truth[i] >= 0 && truth[i] < classes && predicted[i] >= 0 && predicted[i] < classes, "classes are indices");
    ++s.confusion[static_cast<size_t>(truth[i])][static_cast<size_t>(predicted[i])];
  }
  int64_t right = 0;
  for (size_t c = 0; c < n; ++c) {
    int64_t support = 0, told = 0;
    for (size_t o = 0; o < n; ++o) support += s.confusion[c][o], told += s.confusion[o][c];
    s.classes.push_back(score_of(s.confusion[c][c], support, told));
    right += s.confusion[c][c];
  }
  s.accuracy = ratio(static_cast<double>(right), static_cast<double>(s.samples));
  static_cast<LabelAverages&>(s) = averages_of(s.classes, right, false);
  return s;
}

MultiLabelScore score_multi_label(std::span<const uint8_t> truth, std::span<const uint8_t> predicted, int64_t labels) {
  check(truth.size() == predicted.size() && labels > 0 && truth.size() % static_cast<size_t>(labels) == 0, "a decision for each sample and label");
  MultiLabelScore s;
  const auto width = static_cast<size_t>(labels);
  s.samples = static_cast<int64_t>(truth.size() / width);
  std::vector<int64_t> right(width, 0), support(width, 0), told(width, 0);
  int64_t whole = 0, wrong = 0, all_right = 0;
  for (size_t begin = 0; begin < truth.size(); begin += width) {
    int64_t here = 0;
    for (size_t l = 0; l < width; ++l) {
      const bool is = truth[begin + l] != 0, said = predicted[begin + l] != 0;
      right[l] += is && said, support[l] += is, told[l] += said;
      here += is != said;
    }
    wrong += here;
    whole += here == 0;
  }
  for (size_t l = 0; l < width; ++l) {
    s.labels.push_back(score_of(right[l], support[l], told[l]));
    all_right += right[l];
  }
  s.subset_accuracy = ratio(static_cast<double>(whole), static_cast<double>(s.samples));
  s.hamming_loss = ratio(static_cast<double>(wrong), static_cast<double>(truth.size()));
  static_cast<LabelAverages&>(s) = averages_of(s.labels, all_right, true);
  return s;
}

}  // namespace motley
