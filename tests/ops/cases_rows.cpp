// Reductions, softmax, top-k and norms.
#include <algorithm>
#include <cmath>

#include "case.h"

namespace motley::exam {
namespace {

// A sum of n floats in any order: at most n - 1 roundings of partial sums below the sum of magnitudes.
Bound sum_bound(bool mean) {
  return [=](const Checked& c, size_t r) {
    int64_t n = c.in[0]->shape.back();
    auto bounds = row_sums(*c.in[0], n);
    for (double& b : bounds) b *= static_cast<double>(n + 1) * kEps / static_cast<double>(mean ? n : 1);
    return r == 0 ? bounds : std::vector<double>{};
  };
}

// The argument of the exponential is off by a rounding of it; n terms are summed.
Bound softmax_bound(int64_t n) {
  return [=](const Checked& c, size_t r) {
    double largest = 0;
    for (double x : c.in[0]->data) largest = std::isinf(x) ? largest : std::max(largest, std::fabs(x));
    return relative(2 * largest + static_cast<double>(n) + 8, 0x1p-126)(c, r);
  };
}

// The sum is rounded before it is normed; the weight may cancel against the offset.
Bound add_norm_bound(int64_t n) {
  return [=](const Checked& c, size_t r) {
    if (r == 0) return relative(1)(c, r);
    double weights = row_peaks(*c.in[2], n)[0] + 1;
    return relative(static_cast<double>(n) / 2 + 9, kEps * weights)(c, r);
  };
}

// y = layer_norm(x, w, b): the mean is off by (n + 1) eps max|x|, and what is left after subtracting it is scaled by 1 / deviation.
std::vector<double> layer_norm_errors(int64_t n, const RefValue& of, const RefValue& weight, const RefValue& shift, const RefValue& result) {
  auto width = static_cast<size_t>(n);
  const auto &x = of.data, &w = weight.data, &b = shift.data, &y = result.data;
  auto peaks = row_peaks(of, n);
  std::vector<double> bounds(y.size());
  for (size_t row = 0; row < peaks.size(); ++row) {
    double mean = 0, square = 0;
    for (size_t j = 0; j < width; ++j) mean += x[row * width + j] / static_cast<double>(n);
    for (size_t j = 0; j < width; ++j) square += (x[row * width + j] - mean) * (x[row * width + j] - mean) / static_cast<double>(n);
    const double scale = 1 / std::sqrt(square + 1e-5);
    for (size_t i = row * width; i < (row + 1) * width; ++i)
      bounds[i] = (static_cast<double>(n) + 10) * kEps * (peaks[row] * scale * std::fabs(w[i % width]) + std::fabs(y[i]) + std::fabs(b[i % width]));
  }
  return bounds;
}
Bound layer_norm_bound(int64_t n) {
  return [=](const Checked& c, size_t) { return layer_norm_errors(n, *c.in[0], *c.in[1], *c.in[2], *c.out[0]); };
}
Bound add_layer_norm_bound(int64_t n) {
  return [=](const Checked& c, size_t r) { return r == 0 ? relative(1)(c, r) : layer_norm_errors(n, *c.out[0], *c.in[2], *c.in[3], *c.out[1]); };
}

Bound column_bound(double n) {
  return [=](const Checked& c, size_t r) {
    double largest = row_peaks(*c.in[0], static_cast<int64_t>(c.in[0]->data.size()))[0];
    return std::vector<double>(c.out[r]->data.size(), n * n * kEps * largest);
  };
}

}  // namespace

void add_rows(std::vector<Case>& cases, Depth depth) {
  std::vector<int64_t> widths = {1, 16, 67, 300};
  if (depth == Depth::full) widths.insert(widths.end(), {15, 17, 63, 64, 65, 128, 1000, 4099});
  for (int64_t n : widths) {
    std::string w = std::to_string(n);
    CaseInput x{rows_of(64, {n}), normal(31, 2, 0.3)};
    cases.push_back({"sum " + w, Sum{-1}, {x}, sum_bound(false), 64});
    cases.push_back({"mean " + w, Mean{-1}, {x}, sum_bound(true), 64});
    cases.push_back({"reduce_max " + w, ReduceMax{-1}, {x}, exact(), 64});
    // A NaN is the largest wherever it stands: in each place of a vector, first and last in a row, beside infinities.
    auto with_nan = [n](int64_t i) { return i / n % 3 == 1 ? normal(31)(i) : i % n == i / n % n ? NAN : i % 7 == 0 ? INFINITY : normal(31)(i); };
    cases.push_back({"reduce_max nan " + w, ReduceMax{-1}, {{rows_of(64, {n}), with_nan}}, exact(), 64});
    cases.push_back({"softmax " + w, Softmax{-1}, {x}, softmax_bound(n), 64});
    auto masked = [](int64_t i) { return i % 3 == 1 || i < 20 ? -INFINITY : normal(31, 2)(i); };
    cases.push_back({"softmax masked " + w, Softmax{-1}, {{rows_of(64, {n}), masked}}, softmax_bound(n), 64});

    // Relative: half the error of the mean of squares (n positive terms), then some roundings.
    CaseInput weight{plain({n}), normal(32, 0.3, 1)};
    for (float offset : {0.0f, 1.0f}) {
      Bound norm = offset == 0 ? relative(static_cast<double>(n) / 2 + 6) : relative(static_cast<double>(n) / 2 + 8);
      cases.push_back({"rms_norm " + w, RmsNorm{1e-5f, offset}, {x, weight}, norm, 64});
      cases.push_back({"add_rms_norm " + w, AddRmsNorm{1e-6f, offset}, {x, {rows_of(64, {n}), normal(33)}, weight}, add_norm_bound(n), 64});
    }
    cases.push_back({"layer_norm " + w, LayerNorm{1e-5f}, {x, weight, {plain({n}), normal(34)}}, layer_norm_bound(n), 64});
    cases.push_back({"add_layer_norm " + w,
                     AddLayerNorm{1e-5f},
                     {x, {rows_of(64, {n}), normal(33)}, weight, {plain({n}), normal(34)}},
                     add_layer_norm_bound(n),
                     64});
  }
  // Along another axis: columns in lanes.
  for (int axis : {0, 1}) {
    CaseInput x{plain({9, 6, 37}), normal(35)};
    Bound of_columns = column_bound(axis == 0 ? 9 : 6);
    std::string a = " axis " + std::to_string(axis);
    cases.push_back({"sum" + a, Sum{axis}, {x}, of_columns});
    cases.push_back({"mean" + a, Mean{axis}, {x}, of_columns});
    cases.push_back({"reduce_max" + a, ReduceMax{axis}, {x}, exact()});
    auto with_nan = [](int64_t i) { return i % 5 == 2 && i < 400 ? NAN : normal(35)(i); };
    cases.push_back({"reduce_max nan" + a, ReduceMax{axis}, {{plain({9, 6, 37}), with_nan}}, exact()});
    cases.push_back({"softmax" + a, Softmax{axis}, {x}, softmax_bound(9)});
  }
  for (int64_t k : {1, 4, 8}) {
    auto with_ties = [](int64_t i) { return std::round(normal(36, 3)(i)); };
    cases.push_back({"top_k " + std::to_string(k), TopK{k}, {{rows_of(64, {61}), with_ties}}, exact(), 64});
  }
}

}  // namespace motley::exam
