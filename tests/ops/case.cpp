#include "case.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace motley::exam {

std::vector<Case> exam_cases(Depth depth) {
  std::vector<Case> cases;
  add_elementwise(cases, depth);
  add_shape(cases, depth);
  add_rows(cases, depth);
  add_products(cases, depth);
  add_attention(cases, depth);
  add_learning(cases, depth);
  return cases;
}

namespace {

template <class Join>
std::vector<double> over_rows(const RefValue& v, int64_t width, Join&& join) {
  std::vector<double> rows(v.data.size() / static_cast<size_t>(width));
  for (size_t i = 0; i < v.data.size(); ++i) rows[i / static_cast<size_t>(width)] = join(rows[i / static_cast<size_t>(width)], v.data[i]);
  return rows;
}

}  // namespace

std::vector<double> row_norms(const RefValue& v, int64_t width) {
  auto rows = over_rows(v, width, [](double s, double x) { return s + x * x; });
  for (double& r : rows) r = std::sqrt(r);
  return rows;
}
std::vector<double> row_sums(const RefValue& v, int64_t width) {
  return over_rows(v, width, [](double s, double x) { return s + std::fabs(x); });
}
std::vector<double> row_peaks(const RefValue& v, int64_t width) {
  return over_rows(v, width, [](double s, double x) { return std::max(s, std::fabs(x)); });
}

Values normal(uint64_t stream, double scale, double mean) {
  return {fmt::format("normal {} {} {}", stream, scale, mean),
          [=](int64_t i) { return mean + scale * static_cast<double>(philox_normal(1, stream, static_cast<uint64_t>(i))); }};
}
Values uniform_int(uint64_t stream, int64_t n) {
  return {fmt::format("uniform {} {}", stream, n),
          [=](int64_t i) { return static_cast<double>(philox(2, stream, static_cast<uint64_t>(i)) % static_cast<uint64_t>(n)); }};
}

Bound exact() {
  return [](const Checked& c, size_t r) { return std::vector<double>(c.out[r]->data.size()); };
}
Bound relative(double roundings, double floor) {
  return [=](const Checked& c, size_t r) {
    return each(c, r, [&](int64_t i) { return roundings * kEps * std::fabs(c.out[r]->data[static_cast<size_t>(i)]) + floor; });
  };
}

Bound of_peak(double roundings) {
  return [=](const Checked& c, size_t r) {
    double peak = c.out[r]->data.empty() ? 0 : row_peaks(*c.out[r], static_cast<int64_t>(c.out[r]->data.size()))[0];
    return std::vector<double>(c.out[r]->data.size(), roundings * kEps * peak);
  };
}

Type rows_of(int64_t t, std::vector<int64_t> dims, Dtype dtype) {
  Type type{dtype, {{t, Sym::T}}};
  for (int64_t d : dims) type.shape.push_back({d});
  return type;
}
Type plain(std::vector<int64_t> dims, Dtype dtype) {
  Type type{dtype, {}};
  for (int64_t d : dims) type.shape.push_back({d});
  return type;
}

}  // namespace motley::exam
