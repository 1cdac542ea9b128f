// Recurrences over the steps of a sequence, and their gradients. The products with the inputs come before (one matmul for all steps) and the
// gradient to the recurrent weights after (one outer sum), so that the op itself holds only what has to go step by step.
#include <algorithm>
#include <cmath>

#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// gates [B, L, kinds * H], w [kinds * H, H], lengths [B].
Dims expect_recurrence(const Op& op, const Type& gates, const Type& w, const Type& lengths, int64_t kinds) {
  expect_i32(op, lengths, 1, "lengths");
  bool fits = gates.rank() == 3 && gates.dtype == Dtype::f32 && w.rank() == 2 && w.dtype == Dtype::f32 && w.dim(0).n == kinds * w.dim(1).n &&
              gates.dim(2) == w.dim(0) && gates.dim(0) == lengths.dim(0) && gates.dim(1).sym == Sym::none;
  if (!fits)
    fail(ErrorKind::usage, op_name(op), "takes gates f32 [B, L, {}H], w [{}H, H] and lengths [B], got {}, {} and {}", kinds, kinds, to_string(gates),
         to_string(w), to_string(lengths));
  return {gates.dim(0), gates.dim(1), w.dim(1)};
}

// Sizes, and the steps of a sequence in the order in which they are taken.
struct Steps {
  size_t batch, length, h, gates;
  bool reverse;

  Steps(const RefValue& gate_values, const RefValue& w, bool backwards)
      : batch(static_cast<size_t>(gate_values.shape[0])),
        length(static_cast<size_t>(gate_values.shape[1])),
        h(static_cast<size_t>(w.shape[1])),
        gates(static_cast<size_t>(w.shape[0])),
        reverse(backwards) {}

  size_t count(const EvalArgs& a, size_t lengths_input, size_t b) const {
    auto n = static_cast<int64_t>(a.in[lengths_input]->data[b]);
    if (n < 0 || static_cast<size_t>(n) > length) fail(ErrorKind::usage, op_name(a.op), "sequence {} has length {} of {}", b, n, length);
    return static_cast<size_t>(n);
  }
  size_t at(size_t b, size_t step, size_t n) const { return b * length + (reverse ? n - 1 - step : step); }  // row of the step-th step of n
};

// w h of one step.
std::vector<double> recurrent_product(const RefValue& w, const double* h, size_t width) {
  std::vector<double> out(w.data.size() / width, 0.0);
  for (size_t i = 0; i < out.size(); ++i)
    for (size_t j = 0; j < width; ++j) out[i] += w.data[i * width + j] * h[j];
  return out;
}
void add_transposed_product(const RefValue& w, const double* d, size_t width, double* out) {
  for (size_t i = 0; i < w.data.size() / width; ++i)
    for (size_t j = 0; j < width; ++j) out[j] += w.data[i * width + j] * d[i];
}

// What lies beyond the length: the last state, or zeros when the steps run backwards.
void hold(const Steps& s, size_t b, size_t n, std::vector<double>& h) {
  for (size_t t = n; t < s.length && !s.reverse && n > 0; ++t)
    std::copy_n(h.begin() + static_cast<std::ptrdiff_t>((b * s.length + n - 1) * s.h), s.h,
                h.begin() + static_cast<std::ptrdiff_t>((b * s.length + t) * s.h));
}

// The gradient to the state after the last step, gathered from where it is held.
std::vector<double> held_gradient(const Steps& s, size_t b, size_t n, const std::vector<double>& dh) {
  std::vector<double> sum(s.h, 0.0);
  for (size_t t = n; t < s.length && !s.reverse; ++t)
    for (size_t j = 0; j < s.h; ++j) sum[j] += dh[(b * s.length + t) * s.h + j];
  return sum;
}

struct GruStep {
  std::vector<double> r, z, n, product;  // product: of w with the state, b added
  GruStep(const RefValue& gates, const RefValue& w, const RefValue& bias, size_t row, const double* h, size_t width)
      : r(width), z(width), n(width), product(recurrent_product(w, h, width)) {
    const double* g = gates.data.data() + row * 3 * width;
    for (size_t i = 0; i < product.size(); ++i) product[i] += bias.data[i];
    for (size_t j = 0; j < width; ++j) {
      r[j] = sigmoid(g[j] + product[j]);
      z[j] = sigmoid(g[width + j] + product[width + j]);
      n[j] = std::tanh(g[2 * width + j] + r[j] * product[2 * width + j]);
    }
  }
};

struct LstmStep {
  std::vector<double> i, f, g, o;
  LstmStep(const RefValue& gates, const RefValue& w, size_t row, const double* h, size_t width) : i(width), f(width), g(width), o(width) {
    std::vector<double> p = recurrent_product(w, h, width);
    const double* x = gates.data.data() + row * 4 * width;
    for (size_t j = 0; j < width; ++j) {
      i[j] = sigmoid(x[j] + p[j]), f[j] = sigmoid(x[width + j] + p[width + j]);
      g[j] = std::tanh(x[2 * width + j] + p[2 * width + j]), o[j] = sigmoid(x[3 * width + j] + p[3 * width + j]);
    }
  }
};

// The states before each step, as rows: h moved one step on, zeros first.
Value states_before(Builder& b, Value h, bool reverse) {
  int64_t length = b.type(h).dim(1).n;
  Value kept = b.slice(h, 1, reverse ? 1 : 0, length - 1);
  return as_rows(b, b.emit(reverse ? Pad{1, 0, 1} : Pad{1, 1, 0}, {kept}));
}

Cost recurrence_cost(const CostArgs& a, double products) {
  Cost c;
  for (const Type& t : a.in) c.bytes_read += real_bytes(t, a.sizes);
  for (const Type& t : a.out) c.bytes_written += real_bytes(t, a.sizes);
  c.flops = products * 2 * real_elements(a.in[0], a.sizes) * static_cast<double>(a.in[1].dim(1).n);
  return c;
}

}  // namespace

template <>
OpDef define<Gru>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 4, "gates, w, b, lengths");
        expect_f32(op, in[2], {in[1].dim(0)}, "bias");
        return {{Dtype::f32, expect_recurrence(op, in[0], in[1], in[3], 3)}};
      },
      .cost = [](const CostArgs& a) { return recurrence_cost(a, 1); },
      .eval =
          [](EvalArgs& a) {
            Steps s(*a.in[0], *a.in[1], std::get<Gru>(a.op).reverse);
            auto& h = a.out[0].data;
            for (size_t b = 0; b < s.batch; ++b) {
              size_t n = s.count(a, 3, b);
              std::vector<double> state(s.h, 0.0);
              for (size_t step = 0; step < n; ++step) {
                size_t row = s.at(b, step, n);
                GruStep g(*a.in[0], *a.in[1], *a.in[2], row, state.data(), s.h);
                for (size_t j = 0; j < s.h; ++j) state[j] = (1 - g.z[j]) * g.n[j] + g.z[j] * state[j];
                std::ranges::copy(state, h.begin() + static_cast<std::ptrdiff_t>(row * s.h));
              }
              hold(s, b, n, h);
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        bool reverse = std::get<Gru>(g.op).reverse;
        auto to = b.emit_all(GruGrad{reverse}, {g.in[0], g.in[1], g.in[2], g.in[3], g.out[0], g.grad[0]});
        Value rows = as_rows(b, to[1]);
        return {to[0], b.emit(OuterSum{}, {rows, states_before(b, g.out[0], reverse)}), sum_to(b, rows, b.type(g.in[2])), {}};
      },
  };
}

template <>
OpDef define<GruGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 6, "gates, w, b, lengths, h, dh");
        expect_f32(op, in[2], {in[1].dim(0)}, "bias");
        Dims h = expect_recurrence(op, in[0], in[1], in[3], 3);
        expect_f32(op, in[4], h, "h");
        expect_f32(op, in[5], h, "dh");
        return {in[0], in[0]};
      },
      .cost = [](const CostArgs& a) { return recurrence_cost(a, 2); },
      .eval =
          [](EvalArgs& a) {
            Steps s(*a.in[0], *a.in[1], std::get<GruGrad>(a.op).reverse);
            const std::vector<double> zeros(s.h, 0.0);
            for (size_t b = 0; b < s.batch; ++b) {
              size_t n = s.count(a, 3, b);
              std::vector<double> carry = held_gradient(s, b, n, a.in[5]->data);
              for (size_t step = n; step-- > 0;) {
                size_t row = s.at(b, step, n);
                const double* before = step ? a.in[4]->data.data() + s.at(b, step - 1, n) * s.h : zeros.data();
                GruStep g(*a.in[0], *a.in[1], *a.in[2], row, before, s.h);
                double *dg = a.out[0].data.data() + row * s.gates, *dp = a.out[1].data.data() + row * s.gates;
                for (size_t j = 0; j < s.h; ++j) {
                  double dh = carry[j] + a.in[5]->data[row * s.h + j];
                  double dn = dh * (1 - g.z[j]) * (1 - g.n[j] * g.n[j]);
                  dg[j] = dp[j] = dn * g.product[2 * s.h + j] * g.r[j] * (1 - g.r[j]);
                  dg[s.h + j] = dp[s.h + j] = dh * (before[j] - g.n[j]) * g.z[j] * (1 - g.z[j]);
                  dg[2 * s.h + j] = dn;
                  dp[2 * s.h + j] = dn * g.r[j];
                  carry[j] = dh * g.z[j];
                }
                add_transposed_product(*a.in[1], dp, s.h, carry.data());
              }
            }
          },
      .no_gradient = "it is itself a gradient",
  };
}

template <>
OpDef define<Lstm>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "gates, w, lengths");
        Type state{Dtype::f32, expect_recurrence(op, in[0], in[1], in[2], 4)};
        return {state, state};
      },
      .cost = [](const CostArgs& a) { return recurrence_cost(a, 1); },
      .eval =
          [](EvalArgs& a) {
            Steps s(*a.in[0], *a.in[1], std::get<Lstm>(a.op).reverse);
            for (size_t b = 0; b < s.batch; ++b) {
              size_t n = s.count(a, 2, b);
              std::vector<double> h(s.h, 0.0), c(s.h, 0.0);
              for (size_t step = 0; step < n; ++step) {
                size_t row = s.at(b, step, n);
                LstmStep g(*a.in[0], *a.in[1], row, h.data(), s.h);
                for (size_t j = 0; j < s.h; ++j) {
                  c[j] = g.f[j] * c[j] + g.i[j] * g.g[j];
                  h[j] = g.o[j] * std::tanh(c[j]);
                }
                std::ranges::copy(h, a.out[0].data.begin() + static_cast<std::ptrdiff_t>(row * s.h));
                std::ranges::copy(c, a.out[1].data.begin() + static_cast<std::ptrdiff_t>(row * s.h));
              }
              hold(s, b, n, a.out[0].data);
              hold(s, b, n, a.out[1].data);
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_no_gradient(g, 1, "the cell");
        bool reverse = std::get<Lstm>(g.op).reverse;
        Value to = b.emit(LstmGrad{reverse}, {g.in[0], g.in[1], g.in[2], g.out[0], g.out[1], g.grad[0]});
        return {to, b.emit(OuterSum{}, {as_rows(b, to), states_before(b, g.out[0], reverse)}), {}};
      },
  };
}

template <>
OpDef define<LstmGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 6, "gates, w, lengths, h, c, dh");
        Dims h = expect_recurrence(op, in[0], in[1], in[2], 4);
        for (size_t i = 3; i < 6; ++i) expect_f32(op, in[i], h, i == 3 ? "h" : i == 4 ? "c" : "dh");
        return {in[0]};
      },
      .cost = [](const CostArgs& a) { return recurrence_cost(a, 2); },
      .eval =
          [](EvalArgs& a) {
            Steps s(*a.in[0], *a.in[1], std::get<LstmGrad>(a.op).reverse);
            const std::vector<double> zeros(s.h, 0.0);
            for (size_t b = 0; b < s.batch; ++b) {
              size_t n = s.count(a, 2, b);
              std::vector<double> carry = held_gradient(s, b, n, a.in[5]->data), cell(s.h, 0.0);
              for (size_t step = n; step-- > 0;) {
                size_t row = s.at(b, step, n), previous = step ? s.at(b, step - 1, n) : 0;
                const double* h_before = step ? a.in[3]->data.data() + previous * s.h : zeros.data();
                const double* c_before = step ? a.in[4]->data.data() + previous * s.h : zeros.data();
                LstmStep g(*a.in[0], *a.in[1], row, h_before, s.h);
                double* d = a.out[0].data.data() + row * s.gates;
                for (size_t j = 0; j < s.h; ++j) {
                  double dh = carry[j] + a.in[5]->data[row * s.h + j], turn = std::tanh(a.in[4]->data[row * s.h + j]);
                  double dc = cell[j] + dh * g.o[j] * (1 - turn * turn);
                  d[j] = dc * g.g[j] * g.i[j] * (1 - g.i[j]);
                  d[s.h + j] = dc * c_before[j] * g.f[j] * (1 - g.f[j]);
                  d[2 * s.h + j] = dc * g.i[j] * (1 - g.g[j] * g.g[j]);
                  d[3 * s.h + j] = dh * turn * g.o[j] * (1 - g.o[j]);
                  cell[j] = dc * g.f[j];
                  carry[j] = 0;
                }
                add_transposed_product(*a.in[1], d, s.h, carry.data());
              }
            }
          },
      .no_gradient = "it is itself a gradient",
  };
}

}  // namespace motley
