// Losses: each gives a sum over rows and the sum of their weights, so that batches may be split in any way (ir/op_learn.h).
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

const Type kScalar{Dtype::f32, {{1}}};

void expect_logits(const Op& op, std::span<const Type> in) {
  expect_i32(op, in[1], 1, "targets");
  if (in[0].rank() != 2 || in[0].dtype != Dtype::f32 || in[0].dim(0) != in[1].dim(0) || in[0].dim(1).sym != Sym::none || in[0].dim(1).n < 1)
    fail(ErrorKind::usage, op_name(op), "takes logits f32 [T, V] and targets [T], got {} and {}", to_string(in[0]), to_string(in[1]));
}

// f(row, its logits, target) for the rows that count.
template <class F>
void for_targets(const EvalArgs& a, F&& f) {
  auto classes = static_cast<size_t>(a.in[0]->shape[1]);
  for (size_t t = 0; t < a.in[1]->data.size(); ++t) {
    auto target = static_cast<int64_t>(a.in[1]->data[t]);
    if (target == kIgnoreTarget) continue;
    if (target < 0 || static_cast<size_t>(target) >= classes)
      fail(ErrorKind::usage, op_name(a.op), "row {} has target {}, of {} classes; {} leaves a row out", t, target, classes, kIgnoreTarget);
    f(t, a.in[0]->data.data() + t * classes, static_cast<size_t>(target), classes);
  }
}

Types infer_weighted(const Op& op, std::span<const Type> in) {
  expect_inputs(op, in, 3, "x, y, w");
  if (in[0].rank() != 2 || in[0].dtype != Dtype::f32 || in[1] != in[0] || in[2] != Type{Dtype::f32, {in[0].dim(0), {1}}})
    fail(ErrorKind::usage, op_name(op), "takes x and y f32 [T, L] and weights f32 [T, 1], got {}, {} and {}", to_string(in[0]), to_string(in[1]),
         to_string(in[2]));
  return {kScalar, kScalar};
}

// Of [T, L] or [T, 1] the sum as [1].
Value total(Builder& b, Value x) {
  if (b.type(x).dim(1).n != 1) x = b.sum(x, 1);
  return b.reshape(b.sum(x, 0), {{1}});
}

// Loss and weight of elementwise losses: every element counts its row's weight.
std::vector<Value> weighted(Builder& b, Value losses, Value w) {
  const auto width = static_cast<float>(b.type(losses).dim(1).n);
  Value sum = total(b, b.mul(losses, w));
  return {sum, b.mul(total(b, w), b.scalar(width))};
}

// log(sum(exp(x))) of each row, [T, 1].
Value log_sum_exp(Builder& b, Value x) {
  Value top = b.emit(ReduceMax{-1}, {x});
  return b.add(b.emit(Log{}, {b.sum(b.emit(Exp{}, {b.sub(x, top)}))}), top);
}

}  // namespace

template <>
OpDef define<CrossEntropy>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "logits, targets");
        expect_logits(op, in);
        return {kScalar, kScalar, {Dtype::f32, {in[0].dim(0)}}};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes), real_bytes(a.out[2], a.sizes), 10 * real_elements(a.in[0], a.sizes)};
      },
      .eval =
          [](EvalArgs& a) {
            double e = std::get<CrossEntropy>(a.op).smoothing;
            for_targets(a, [&](size_t t, const double* x, size_t target, size_t classes) {
              double top = *std::max_element(x, x + classes), sum = 0, mean = 0;
              for (size_t i = 0; i < classes; ++i) sum += std::exp(x[i] - top), mean += x[i] / static_cast<double>(classes);
              double lse = top + std::log(sum);
              a.out[0].data[0] += (1 - e) * (lse - x[target]) + e * (lse - mean);
              a.out[1].data[0] += 1;
              a.out[2].data[t] = lse;
            });
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_no_gradient(g, 1, "the number of targets");
        expect_no_gradient(g, 2, "the logarithm of the logits' sum");
        return {b.emit(CrossEntropyGrad{std::get<CrossEntropy>(g.op).smoothing}, {g.in[0], g.in[1], g.out[2], g.grad[0]}), {}};
      },
  };
}

template <>
OpDef define<CrossEntropyGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 4, "logits, targets, lse, dsum");
        expect_logits(op, in);
        expect_f32(op, in[2], {in[0].dim(0)}, "lse");
        expect_f32(op, in[3], {{1}}, "dsum");
        return {in[0]};
      },
      .cost = [](const CostArgs& a) -> Cost {
        double bytes = real_bytes(a.in[0], a.sizes);
        return {bytes, bytes, 10 * real_elements(a.in[0], a.sizes)};
      },
      .eval =
          [](EvalArgs& a) {
            double e = std::get<CrossEntropyGrad>(a.op).smoothing, scale = a.in[3]->data[0];
            for_targets(a, [&](size_t t, const double* x, size_t target, size_t classes) {
              double* dx = a.out[0].data.data() + t * classes;
              for (size_t i = 0; i < classes; ++i) dx[i] = scale * (std::exp(x[i] - a.in[2]->data[t]) - e / static_cast<double>(classes));
              dx[target] -= scale * (1 - e);
            });
          },
      .no_gradient = "it is itself a gradient",
  };
}

template <>
OpDef define<HeadLoss>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w, targets");
        const auto& h = std::get<HeadLoss>(op);
        const Type &x = in[0], &w = in[1];
        expect_i32(op, in[2], 1, "targets");
        bool fits = x.rank() == 2 && x.dtype == Dtype::f32 && w.rank() == 2 && x.dim(1) == w.dim(1) && x.dim(0) == in[2].dim(0) && w.dim(0).n > 0;
        if (!fits || (h.w_gradient && is_quantised(w.dtype)))
          fail(ErrorKind::usage, op_name(op), "takes x f32 [T, E], w [V, E] and targets [T], got {}, {} and {}", to_string(x), to_string(w),
               to_string(in[2]));
        Types out = {kScalar, kScalar};
        if (h.x_gradient) out.push_back(x);
        if (h.w_gradient) out.push_back({Dtype::f32, w.shape});
        return out;
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& h = std::get<HeadLoss>(op);
        Value logits = b.matmul(in[0], in[1]);
        if (h.softcap > 0) logits = b.softcap(logits, h.softcap);
        auto loss = b.emit_all(CrossEntropy{h.smoothing}, {logits, in[2]});
        std::vector<Value> out = {loss[0], loss[1]};
        if (!h.x_gradient && !h.w_gradient) return out;
        Value back = b.emit(CrossEntropyGrad{h.smoothing}, {logits, in[2], loss[2], b.scalar(1)});
        if (h.softcap > 0) {  // 1 - (y / cap)^2
          Value share = b.div(logits, b.scalar(h.softcap)), square = b.mul(share, share);
          back = b.mul(back, b.sub(b.scalar(1), square));
        }
        if (h.x_gradient) out.push_back(b.matmul(back, in[1], false));
        if (h.w_gradient) out.push_back(b.emit(OuterSum{}, {back, in[0]}));
        return out;
      },
      .cost = [](const CostArgs& a) -> Cost {
        const auto& h = std::get<HeadLoss>(a.op);
        double products = 1 + h.x_gradient + h.w_gradient, logits = real_elements(a.in[2], a.sizes) * static_cast<double>(a.in[1].dim(0).n);
        Cost c;
        for (const Type& t : a.in) c.bytes_read += real_bytes(t, a.sizes);
        for (const Type& t : a.out) c.bytes_written += real_bytes(t, a.sizes);
        c.flops = logits * (2 * products * static_cast<double>(a.in[0].dim(1).n) + 20);
        return c;
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& h = std::get<HeadLoss>(g.op);
        expect_no_gradient(g, 1, "the number of targets");
        for (size_t i = 2; i < g.out.size(); ++i) expect_no_gradient(g, i, "a gradient");
        check((h.x_gradient || !g.wants(0)) && (h.w_gradient || !g.wants(1)), "the op was put into the form that forms its gradients");
        return {g.wants(0) ? b.mul(g.out[2], g.grad[0]) : Value{}, g.wants(1) ? b.mul(g.out.back(), g.grad[0]) : Value{}, {}};
      },
      .learning = [](const Op& op, std::span<const char> wanted) -> Op {
        HeadLoss h = std::get<HeadLoss>(op);
        h.x_gradient = h.x_gradient || wanted[0];
        h.w_gradient = h.w_gradient || wanted[1];
        return h;
      },
  };
}

template <>
OpDef define<BinaryCrossEntropy>() {
  return {
      .infer = infer_weighted,
      // max(x, 0) - x y + log(1 + exp(-|x|)), which no logit makes overflow.
      .expand = [](Builder& b, const Op&, std::span<const Value> in) -> std::vector<Value> {
        Value x = in[0], negative = b.emit(Neg{}, {x});
        Value tail = b.emit(Log{}, {b.add(b.emit(Exp{}, {b.emit(Neg{}, {b.emit(Maximum{}, {x, negative})})}), b.scalar(1))});
        Value loss = b.add(b.sub(b.emit(Maximum{}, {x, b.scalar(0)}), b.mul(x, in[1])), tail);
        return weighted(b, loss, in[2]);
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_no_gradient(g, 1, "the sum of weights");
        for (size_t i : {1, 2})
          if (g.wants(i)) fail(ErrorKind::usage, op_name(g.op), "targets and weights are given, not learned");
        Value error = b.sub(b.emit(Sigmoid{}, {g.in[0]}), g.in[1]);
        return {b.mul(b.mul(error, g.in[2]), g.grad[0]), {}, {}};
      },
  };
}

template <>
OpDef define<MeanSquaredError>() {
  return {
      .infer = infer_weighted,
      .expand = [](Builder& b, const Op&, std::span<const Value> in) -> std::vector<Value> {
        Value error = b.sub(in[0], in[1]);
        return weighted(b, b.mul(error, error), in[2]);
      },
  };
}

template <>
OpDef define<KlDivergence>() {
  return {
      .infer = infer_weighted,
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        float t = std::get<KlDivergence>(op).temperature;
        auto log_share = [&](Value logits) {
          Value x = b.div(logits, b.scalar(t));
          return b.sub(x, log_sum_exp(b, x));
        };
        Value student = log_share(in[0]), teacher = log_share(in[1]);
        Value rows = b.sum(b.mul(b.emit(Exp{}, {teacher}), b.sub(teacher, student)));
        return {b.mul(total(b, b.mul(rows, in[2])), b.scalar(t * t)), total(b, in[2])};
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // t (softmax(s / t) - softmax(teacher / t))
        expect_no_gradient(g, 1, "the sum of weights");
        for (size_t i : {1, 2})
          if (g.wants(i)) fail(ErrorKind::usage, op_name(g.op), "the teacher and the weights are given, not learned");
        Value t = b.scalar(std::get<KlDivergence>(g.op).temperature);
        Value student = b.softmax(b.div(g.in[0], t)), teacher = b.softmax(b.div(g.in[1], t));
        return {b.mul(b.mul(b.sub(student, teacher), b.mul(g.in[2], t)), g.grad[0]), {}, {}};
      },
  };
}

}  // namespace motley
