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
    return each(c, r, [&](int64_t i) { return dot_bound(k, quantised, x[static_cast<size_t>(i / n)], w[static_cast<size_t>(i % n)]); });
  };
}

// |z| is at most scale |x| |w| and the bias; an activation is no steeper than 1.13, and takes a dozen roundings of what it is of.
Bound fused_bound(const FusedMatmul& op, int64_t n, int64_t k) {
  const bool quantised = op.activation == ActivationFormat::q8_32;
  return [=](const Checked& c, size_t r) {
    auto x = row_norms(*c.in[0], k), w = op.transpose_w ? row_norms(*c.in[1], k) : column_norms(*c.in[1]);
    double added = 0;
    for (size_t i = 2; i < c.in.size(); ++i) added += row_peaks(*c.in[i], static_cast<int64_t>(c.in[i]->data.size()))[0];
    return each(c, r, [&](int64_t i) {
      const double xn = x[static_cast<size_t>(i / n)], wn = w[static_cast<size_t>(i % n)], scale = std::fabs(static_cast<double>(op.scale));
      return 1.2 * scale * dot_bound(k, quantised, xn, wn) + 16 * kEps * (1.2 * scale * xn * wn + added);
    });
  };
}

// A product with each of the things that may follow it, alone and together.
std::vector<FusedMatmul> fused_forms(ActivationFormat a, bool transposed) {
  const FusedMatmul plain{.transpose_w = transposed, .activation = a};
  auto with = [&](auto change) {
    FusedMatmul m = plain;
    change(m);
    return m;
  };
  return {with([](FusedMatmul& m) { m.bias = true; }),
          with([](FusedMatmul& m) { m.residual = true; }),
          with([](FusedMatmul& m) { m.scale = -0.5f, m.bias = true, m.residual = true; }),
          with([](FusedMatmul& m) { m.bias = true, m.finish = Finish::gelu_tanh, m.residual = true; }),
          with([](FusedMatmul& m) { m.bias = true, m.finish = Finish::gelu, m.keep = true; }),
          with([](FusedMatmul& m) { m.finish = Finish::relu; }),
          with([](FusedMatmul& m) { m.finish = Finish::silu, m.slope = true, m.residual = true; })};
}

std::string form_name(const FusedMatmul& m) {
  std::string name = "fused_matmul";
  for (const auto& [field, value] : fields(m))
    if (value != "false" && field != "activation" && field != "transpose_w" && value != "none" && value != "1")
      name += " " + field + (value == "true" ? "" : "=" + value);
  return name;
}

// What a form reads beside x and w; rows: T, or a fixed number.
std::vector<CaseInput> fused_inputs(const FusedMatmul& m, CaseInput x, CaseInput w, int64_t n, bool bound) {
  const Type like = bound ? plain({x.type.shape[0].n, n}) : rows_of(64, {n});
  std::vector<CaseInput> in = {std::move(x), std::move(w)};
  if (m.bias) in.push_back({plain({n}), normal(44)});
  if (m.slope) in.push_back({like, normal(50)});
  if (m.residual) in.push_back({like, normal(51)});
  return in;
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

// With every size bound, as in learning: the products in which nothing is packed ahead.
void add_bound_products(std::vector<Case>& cases) {
  for (bool transposed : {true, false})
    for (auto [n, k] : {Shape3{130, 60}, Shape3{70, 300}}) {
      CaseInput x{plain({250, k}), normal(48)}, w{plain(transposed ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}), normal(49, 0.1)};
      for (const FusedMatmul& m : fused_forms(ActivationFormat::f32, transposed))
        cases.push_back(
            {form_name(m) + " bound " + std::to_string(n) + "x" + std::to_string(k), m, fused_inputs(m, x, w, n, true), fused_bound(m, n, k)});
    }
}

}  // namespace

void add_products(std::vector<Case>& cases, Depth depth) {
  add_bound_products(cases);
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
        const Bound bound = product_bound(n, k, quantised, true);
        cases.push_back({"matmul " + what, Matmul{true, a}, {x, w}, bound, 64});
        for (const FusedMatmul& m : fused_forms(a, true))
          cases.push_back({form_name(m) + " " + what, m, fused_inputs(m, x, w, n, false), fused_bound(m, n, k), 64});
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
      for (const FusedMatmul& m : fused_forms(ActivationFormat::f32, false))
        cases.push_back({form_name(m) + " kn " + d.name, m, fused_inputs(m, x, w, 90, false), fused_bound(m, 90, 77), 64});
    }
  }
}

}  // namespace motley::exam
