#include <algorithm>
#include <cmath>

#include "case.h"
#include "ops/interpreter.h"
#include "quant/format.h"

namespace motley::exam {
namespace {

struct Shape3 {
  int64_t n, k;
};

std::vector<double> column_norms(const RefValue& v) {
  auto width = static_cast<size_t>(v.shape[1]);
  std::vector<double> columns(width);
  for (size_t i = 0; i < v.data.size(); ++i) columns[i % width] += v.data[i] * v.data[i];
  for (double& c : columns) c = std::sqrt(c);
  return columns;
}

// A dot product of k terms: at most k + 2 roundings, each of a partial sum below |x| |w| (Cauchy and Schwarz bound the sum of magnitudes).
// Quantised: the integers are exact; per block two roundings of scales and two of the sum. What is left out of x by rounding to 8 bits
// is in the reference too, but a minimum's term and a dot product may each exceed the result: three times the norms bounds them.
double dot_bound(int64_t k, bool quantised, double x_norm, double w_norm) {
  double roundings = quantised ? static_cast<double>(k) / 16 * 2 + 6 : static_cast<double>(k) + 2;
  return (quantised ? 3 : 1) * roundings * kEps * x_norm * w_norm;
}

Bound product_bound(int64_t n, int64_t k, bool quantised, bool transposed) {
  return [=](const Checked& c, size_t r) {
    auto x = row_norms(*c.in[0], k), w = transposed ? row_norms(*c.in[1], k) : column_norms(*c.in[1]);
    return each(c, r, [&](int64_t i) {
      double b = dot_bound(k, quantised, x[static_cast<size_t>(i / n)], w[static_cast<size_t>(i % n)]);
      if (c.in.size() == 3) b += 2 * kEps * (std::fabs(c.out[r]->data[static_cast<size_t>(i)]) + b);
      return b;
    });
  };
}

// |gate| and |up| are at most |x| |w|, plus what quantising x may add; the slope of an activation is at most 1.13.
Bound glu_bound(int64_t n, int64_t k, bool quantised) {
  return [=](const Checked& c, size_t r) {
    auto x = row_norms(*c.in[0], k), wg = row_norms(*c.in[1], k), wu = row_norms(*c.in[2], k);
    return each(c, r, [&](int64_t i) {
      double xn = x[static_cast<size_t>(i / n)], gn = wg[static_cast<size_t>(i % n)], un = wu[static_cast<size_t>(i % n)];
      double g_error = dot_bound(k, quantised, xn, gn), u_error = dot_bound(k, quantised, xn, un), g = 1.2 * xn * gn, u = 1.2 * xn * un;
      return 1.13 * g_error * (u + u_error) + g * u_error + 12 * kEps * g * u;
    });
  };
}

Bound expert_bound(int64_t n, int64_t k, bool quantised, bool shared) {
  return [=](const Checked& c, size_t r) {
    auto x = row_norms(*c.in[0], k), w = row_norms(*c.in[1], k);
    return each(c, r, [&](int64_t i) {
      int64_t row = i / n;
      auto expert = static_cast<int64_t>(c.in[2]->data[static_cast<size_t>(row)]);
      return dot_bound(k, quantised, x[static_cast<size_t>(shared ? row / 2 : row)], w[static_cast<size_t>(expert * n + i % n)]);
    });
  };
}

}  // namespace

void add_products(std::vector<Case>& cases, Depth depth) {
  for (const DtypeInfo& d : dtypes()) {
    if (d.dtype == Dtype::f64 || (!is_float(d.dtype) && !d.quantised)) continue;
    std::vector<Shape3> shapes = d.quantised ? std::vector<Shape3>{{70, d.block}, {144, 3 * d.block}} : std::vector<Shape3>{{70, 33}, {144, 515}};
    if (depth == Depth::full) {
      int64_t unit = d.quantised ? d.block : 1;
      for (int i = 1; i <= 4; ++i)
        shapes.push_back({1 + (i * 53) % 210, unit * (d.block == 256 ? 1 + i % 3 : d.block == 32 ? 1 + i * 7 % 25 : 1 + i * 271 % 800)});
    }
    std::vector<ActivationFormat> activations = {ActivationFormat::f32};
    if (d.quantised) activations.push_back(ActivationFormat::q8_32);
    for (auto [n, k] : shapes)
      for (ActivationFormat a : activations) {
        bool quantised = a == ActivationFormat::q8_32;
        std::string what = std::string(d.name) + (quantised ? " q8_32 " : " f32 ") + std::to_string(n) + "x" + std::to_string(k);
        CaseInput x{rows_of(64, {k}), normal(41)}, w{plain({n, k}, d.dtype), normal(42, 0.1)}, w2{plain({n, k}, d.dtype), normal(43, 0.1)};
        Bound bound = product_bound(n, k, quantised, true);
        cases.push_back({"matmul " + what, Matmul{true, a}, {x, w}, bound, 64});
        cases.push_back({"matmul_add bias " + what, MatmulAdd{true, a}, {x, w, {plain({n}), normal(44)}}, bound, 64});
        cases.push_back({"matmul_add residual " + what, MatmulAdd{true, a}, {x, w, {rows_of(64, {n}), normal(44)}}, bound, 64});
        for (Activation kind : {Activation::silu, Activation::gelu_tanh})  // the gated pair
          cases.push_back({"glu_matmul " + what, GluMatmul{kind, a}, {x, w, w2}, glu_bound(n, k, quantised), 64});

        int64_t experts = 5;
        for (bool shared : {true, false}) {
          CaseInput xe{shared ? rows_of(64, {k}) : rows_of(64, {2, k}), normal(45)}, we{plain({experts, n, k}, d.dtype), normal(46, 0.1)};
          CaseInput ids{rows_of(64, {2}, Dtype::i32), uniform_int(47, experts)};
          cases.push_back({"expert_matmul " + what, ExpertMatmul{a}, {xe, we, ids}, expert_bound(n, k, quantised, shared), 64});
        }
      }
    if (d.quantised)  // back through the weight: the sum runs over its rows
      for (auto [n, k] : shapes)
        cases.push_back({"matmul back " + std::string(d.name) + " " + std::to_string(n) + "x" + std::to_string(k),
                         Matmul{false, ActivationFormat::f32},
                         {{rows_of(64, {n}), normal(41)}, {plain({n, k}, d.dtype), normal(42, 0.1)}},
                         product_bound(k, n, false, false),
                         64});
    if (!d.quantised) {
      CaseInput x{rows_of(64, {77}), normal(48)}, w{plain({77, 90}, d.dtype), normal(49, 0.1)};
      cases.push_back({std::string("matmul kn ") + d.name, Matmul{false, ActivationFormat::f32}, {x, w}, product_bound(90, 77, false, false), 64});
      cases.push_back({std::string("matmul_add kn ") + d.name,
                       MatmulAdd{false, ActivationFormat::f32},
                       {x, w, {plain({90}), normal(44)}},
                       product_bound(90, 77, false, false),
                       64});
    }
  }
}

}  // namespace motley::exam
