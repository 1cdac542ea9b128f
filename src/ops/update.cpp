// Ops that change states: optimizers and plain assignment. Each takes the states it changes first and gives their successors first
// (ir/op_learn.h); formulas follow the reference implementations named there, so that equal settings give equal weights.
#include <algorithm>
#include <cmath>

#include "ir/text.h"
#include "ops/def.h"
#include "ops/rules.h"

namespace motley {
namespace {

constexpr const char* kNoGradient = "it changes states, after all gradients are formed";

// The tail of an update's inputs: lr, scale (and step before it) behind the gradient, which has the first state's shape.
void expect_update(const Op& op, std::span<const Type> in, size_t gradient, bool has_step) {
  expect_f32(op, in[gradient], in[0].shape, "gradient");
  expect_f32(op, in[gradient + 1], {{1}}, "lr");
  if (has_step && in[gradient + 2] != Type{Dtype::i32, {{1}}})
    fail(ErrorKind::usage, op_name(op), "step should be i32[1], got {}", to_string(in[gradient + 2]));
  expect_f32(op, in.back(), {{1}}, "scale");
}

// States all shaped like the first.
Types like_the_first(const Op& op, std::span<const Type> in, size_t states, bool has_step) {
  for (size_t i = 0; i < states; ++i) expect_f32(op, in[i], in[0].shape, "a state");
  expect_update(op, in, states, has_step);
  return Types(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(states));
}

Cost update_cost(const CostArgs& a) {
  Cost c;
  for (const Type& t : a.in) c.bytes_read += real_bytes(t, a.sizes);
  for (const Type& t : a.out) c.bytes_written += real_bytes(t, a.sizes);
  c.flops = 10 * real_elements(a.in[0], a.sizes);
  return c;
}

// The states as they are, then whether the update takes place: a scale that is not finite skips it.
bool begin_update(EvalArgs& a) {
  for (size_t i = 0; i < a.out.size(); ++i) a.out[i].data = a.in[i]->data;
  return std::isfinite(a.in.back()->data[0]);
}

double rms(const std::vector<double>& x) {
  double sum = 0;
  for (double v : x) sum += v * v;
  return std::sqrt(sum / static_cast<double>(x.size()));
}

// What both forms of Adafactor do with the estimated squares (variance of each element) of the gradient.
template <class T>
void adafactor_step(const T& op, std::vector<double>& w, const std::vector<double>& gradient, double scale, double lr, double step,
                    const std::vector<double>& squares) {
  double rate = std::min(lr, 1 / std::sqrt(step)) * std::max(op.eps2, rms(w));
  std::vector<double> update(w.size());
  for (size_t i = 0; i < w.size(); ++i) update[i] = gradient[i] * scale / std::sqrt(std::max(squares[i], op.eps1 * op.eps1));
  double shrink = std::max(1.0, rms(update) / op.clip);
  for (size_t i = 0; i < w.size(); ++i) w[i] = w[i] * (1 - lr * op.decay) - rate / shrink * update[i];
}

}  // namespace

template <>
OpDef define<Assign>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "state, x");
        expect_f32(op, in[0], in[0].shape, "state");
        expect_f32(op, in[1], in[0].shape, "x");
        return {in[0]};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[1], a.sizes), real_bytes(a.out[0], a.sizes), 0};
      },
      .eval = [](EvalArgs& a) { a.out[0].data = a.in[1]->data; },
      .no_gradient = kNoGradient,
      .changes = 1,
  };
}

template <>
OpDef define<Adamw>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 7, "w, m, v, grad, lr, step, scale");
        return like_the_first(op, in, 3, true);
      },
      .cost = update_cost,
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<Adamw>(a.op);
            if (!begin_update(a)) return;
            double lr = a.in[4]->data[0], step = a.in[5]->data[0], scale = a.in[6]->data[0];
            double rate = lr / (1 - std::pow(op.beta1, step)), unbias = std::sqrt(1 - std::pow(op.beta2, step));
            auto &w = a.out[0].data, &m = a.out[1].data, &v = a.out[2].data;
            for (size_t i = 0; i < w.size(); ++i) {
              double g = a.in[3]->data[i] * scale;
              if (op.decoupled)
                w[i] *= 1 - lr * op.decay;
              else
                g += op.decay * w[i];
              m[i] += (1 - op.beta1) * (g - m[i]);
              v[i] = op.beta2 * v[i] + (1 - op.beta2) * g * g;
              w[i] -= rate * m[i] / (std::sqrt(v[i]) / unbias + op.eps);
            }
          },
      .no_gradient = kNoGradient,
      .changes = 3,
  };
}

template <>
OpDef define<Sgd>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 4, "w, grad, lr, scale");
        return like_the_first(op, in, 1, false);
      },
      .cost = update_cost,
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<Sgd>(a.op);
            if (!begin_update(a)) return;
            double lr = a.in[2]->data[0], scale = a.in[3]->data[0];
            auto& w = a.out[0].data;
            for (size_t i = 0; i < w.size(); ++i) w[i] -= lr * (a.in[1]->data[i] * scale + op.decay * w[i]);
          },
      .no_gradient = kNoGradient,
      .changes = 1,
  };
}

template <>
OpDef define<SgdMomentum>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 6, "w, m, grad, lr, step, scale");
        return like_the_first(op, in, 2, true);
      },
      .cost = update_cost,
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<SgdMomentum>(a.op);
            if (!begin_update(a)) return;
            double lr = a.in[3]->data[0], scale = a.in[5]->data[0];
            bool first = a.in[4]->data[0] <= 1;
            auto &w = a.out[0].data, &m = a.out[1].data;
            for (size_t i = 0; i < w.size(); ++i) {
              double g = a.in[2]->data[i] * scale;
              if (op.decoupled)
                w[i] *= 1 - lr * op.decay;
              else
                g += op.decay * w[i];
              m[i] = first ? g : op.momentum * m[i] + (1 - op.dampening) * g;
              w[i] -= lr * (op.nesterov ? g + op.momentum * m[i] : m[i]);
            }
          },
      .no_gradient = kNoGradient,
      .changes = 2,
  };
}

template <>
OpDef define<Lion>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 5, "w, m, grad, lr, scale");
        return like_the_first(op, in, 2, false);
      },
      .cost = update_cost,
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<Lion>(a.op);
            if (!begin_update(a)) return;
            double lr = a.in[3]->data[0], scale = a.in[4]->data[0];
            auto &w = a.out[0].data, &m = a.out[1].data;
            for (size_t i = 0; i < w.size(); ++i) {
              double g = a.in[2]->data[i] * scale, turn = op.beta1 * m[i] + (1 - op.beta1) * g;
              w[i] = w[i] * (1 - lr * op.decay) - lr * ((turn > 0) - (turn < 0));
              m[i] = op.beta2 * m[i] + (1 - op.beta2) * g;
            }
          },
      .no_gradient = kNoGradient,
      .changes = 2,
  };
}

template <>
OpDef define<Adafactor>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 7, "w, rows, columns, grad, lr, step, scale");
        if (in[0].rank() < 2) fail(ErrorKind::usage, op_name(op), "factors what has two axes or more, got {}", to_string(in[0]));
        Dims rows = in[0].shape, columns = in[0].shape;
        rows.pop_back();
        columns.erase(columns.end() - 2);
        expect_f32(op, in[0], in[0].shape, "w");
        expect_f32(op, in[1], rows, "rows");
        expect_f32(op, in[2], columns, "columns");
        expect_update(op, in, 3, true);
        return {in[0], in[1], in[2]};
      },
      .cost = update_cost,
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<Adafactor>(a.op);
            if (!begin_update(a)) return;
            double step = a.in[5]->data[0], scale = a.in[6]->data[0], fresh = std::pow(step, op.power);
            auto k = static_cast<size_t>(a.out[0].shape.back()), n = static_cast<size_t>(a.out[0].shape[a.out[0].shape.size() - 2]);
            auto &w = a.out[0].data, &rows = a.out[1].data, &columns = a.out[2].data;
            std::vector<double> squares(w.size());
            for (size_t matrix = 0; matrix < w.size() / (n * k); ++matrix) {
              const double* g = a.in[3]->data.data() + matrix * n * k;
              double *row = rows.data() + matrix * n, *column = columns.data() + matrix * k, mean = 0;
              std::vector<double> row_mean(n, 0.0), column_mean(k, 0.0);
              for (size_t i = 0; i < n; ++i)
                for (size_t j = 0; j < k; ++j) {
                  double square = g[i * k + j] * scale * g[i * k + j] * scale;
                  row_mean[i] += square / static_cast<double>(k), column_mean[j] += square / static_cast<double>(n);
                }
              for (size_t i = 0; i < n; ++i) row[i] += fresh * (row_mean[i] - row[i]), mean += row[i] / static_cast<double>(n);
              for (size_t j = 0; j < k; ++j) column[j] += fresh * (column_mean[j] - column[j]);
              for (size_t i = 0; i < n * k; ++i) squares[matrix * n * k + i] = row[i / k] * column[i % k] / std::max(mean, op.eps1);
            }
            adafactor_step(op, w, a.in[3]->data, scale, a.in[4]->data[0], step, squares);
          },
      .no_gradient = kNoGradient,
      .changes = 3,
  };
}

template <>
OpDef define<AdafactorVector>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 6, "w, v, grad, lr, step, scale");
        return like_the_first(op, in, 2, true);
      },
      .cost = update_cost,
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<AdafactorVector>(a.op);
            if (!begin_update(a)) return;
            double step = a.in[4]->data[0], scale = a.in[5]->data[0], fresh = std::pow(step, op.power);
            auto& v = a.out[1].data;
            for (size_t i = 0; i < v.size(); ++i) {
              double g = a.in[2]->data[i] * scale;
              v[i] += fresh * (g * g - v[i]);
            }
            adafactor_step(op, a.out[0].data, a.in[2]->data, scale, a.in[3]->data[0], step, v);
          },
      .no_gradient = kNoGradient,
      .changes = 2,
  };
}

}  // namespace motley
