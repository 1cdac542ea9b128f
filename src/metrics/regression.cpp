#include "metrics/regression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/check.h"

namespace motley {
namespace {

double correlation(std::span<const double> x, std::span<const double> y) {
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n, mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double a = x[i] - mean_x, b = y[i] - mean_y;
    xy += a * b, xx += a * a, yy += b * b;
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> ranks(std::span<const double> x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> rank(x.size());
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && x[order[end]] == x[order[begin]]; ++end) {
    }
    for (size_t i = begin; i < end; ++i) rank[order[i]] = static_cast<double>(begin + end - 1) / 2;
  }
  return rank;
}

}  // namespace

RegressionScore score_numbers(std::span<const float> truth, std::span<const float> predicted) {
  check(truth.size() == predicted.size() && !truth.empty(), "a prediction for each sample");
  const std::vector<double> x(truth.begin(), truth.end()), y(predicted.begin(), predicted.end());
  RegressionScore s{.samples = static_cast<int64_t>(x.size())};
  for (size_t i = 0; i < x.size(); ++i) s.mse += (x[i] - y[i]) * (x[i] - y[i]), s.mae += std::fabs(x[i] - y[i]);
  s.mse /= static_cast<double>(x.size()), s.mae /= static_cast<double>(x.size());
  s.pearson = correlation(x, y);
  s.spearman = correlation(ranks(x), ranks(y));
  return s;
}

}  // namespace motley
