// Reductions along one axis, which stays with size 1; softmax; and the k largest.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

template <class T>
Types infer_reduce(const Op& op, std::span<const Type> in) {
  expect_inputs(op, in, 1, "x");
  Type out = in[0];
  out.shape[axis_of(op, in[0], std::get<T>(op).axis)] = {1};
  return {out};
}

// Calls fold(accumulator, x) over the axis for every other index.
template <class F>
void eval_reduce(EvalArgs& a, int axis_attribute, double start, F fold) {
  size_t axis = axis_of(a.op, a.in_types[0], axis_attribute);
  const Shape& s = a.in[0]->shape;
  size_t after = 1, extent = static_cast<size_t>(s[axis]);
  for (size_t i = axis + 1; i < s.size(); ++i) after *= static_cast<size_t>(s[i]);
  for (size_t i = 0; i < a.out[0].data.size(); ++i) {
    double acc = start;
    size_t base = i / after * extent * after + i % after;
    for (size_t j = 0; j < extent; ++j) acc = fold(acc, a.in[0]->data[base + j * after]);
    a.out[0].data[i] = acc;
  }
}

Cost reduced(const CostArgs& a) { return {real_bytes(a.in[0], a.sizes), real_bytes(a.out[0], a.sizes), real_elements(a.in[0], a.sizes)}; }

}  // namespace

template <>
OpDef define<Sum>() {
  return {
      .infer = infer_reduce<Sum>,
      .cost = reduced,
      .eval = [](EvalArgs& a) { eval_reduce(a, std::get<Sum>(a.op).axis, 0, [](double s, double x) { return s + x; }); },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.broadcast(g.grad[0], b.type(g.in[0]).shape)}; },
  };
}

template <>
OpDef define<Mean>() {
  return {
      .infer = infer_reduce<Mean>,
      .cost = reduced,
      .eval =
          [](EvalArgs& a) {
            eval_reduce(a, std::get<Mean>(a.op).axis, 0, [](double s, double x) { return s + x; });
            auto n = static_cast<double>(a.in[0]->shape[axis_of(a.op, a.in_types[0], std::get<Mean>(a.op).axis)]);
            for (double& x : a.out[0].data) x /= n;
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const Type& x = b.type(g.in[0]);
        const Dim& n = x.dim(std::get<Mean>(g.op).axis);
        if (n.sym != Sym::none) fail(ErrorKind::usage, "mean", "the gradient needs an axis of a fixed size, {} has {}", to_string(x), to_string(n));
        return {b.broadcast(b.mul(g.grad[0], b.scalar(1 / static_cast<float>(n.n))), x.shape)};
      },
  };
}

template <>
OpDef define<ReduceMax>() {
  return {
      .infer = infer_reduce<ReduceMax>,
      .cost = reduced,
      .eval =
          [](EvalArgs& a) {
            eval_reduce(a, std::get<ReduceMax>(a.op).axis, -std::numeric_limits<double>::infinity(),
                        [](double m, double x) { return std::isnan(m) || std::isnan(x) ? std::nan("") : std::max(m, x); });
          },
      // Shared by all that are the largest.
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        Value largest = b.sub(b.scalar(1), b.emit(Less{}, {g.in[0], g.out[0]}));
        return {b.mul(b.div(g.grad[0], b.sum(largest, std::get<ReduceMax>(g.op).axis)), largest)};
      },
  };
}

template <>
OpDef define<Softmax>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        axis_of(op, in[0], std::get<Softmax>(op).axis);
        return {in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        int axis = std::get<Softmax>(op).axis;
        // The largest finite float instead of -inf keeps a row that is masked everywhere at 0 / tiny = 0 rather than NaN.
        Value top = b.emit(Maximum{}, {b.emit(ReduceMax{axis}, {in[0]}), b.scalar(std::numeric_limits<float>::lowest())});
        Value e = b.emit(Exp{}, {b.sub(in[0], top)});
        return {b.div(e, b.emit(Maximum{}, {b.sum(e, axis), b.scalar(std::numeric_limits<float>::min())}))};
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // y (dy - sum(y dy))
        Value weighted = b.mul(g.grad[0], g.out[0]);
        return {b.sub(weighted, b.mul(g.out[0], b.sum(weighted, std::get<Softmax>(g.op).axis)))};
      },
  };
}

template <>
OpDef define<TopK>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        int64_t k = std::get<TopK>(op).k;
        if (in[0].rank() < 1 || k < 1 || in[0].dim(-1).sym != Sym::none || k > in[0].dim(-1).n)
          fail(ErrorKind::usage, "top_k", "cannot take {} of the last axis of {}", k, to_string(in[0]));
        Type values = in[0], indices = in[0];
        values.shape.back() = indices.shape.back() = {k};
        indices.dtype = Dtype::i32;
        return {values, indices};
      },
      .eval =
          [](EvalArgs& a) {
            size_t n = static_cast<size_t>(a.in[0]->shape.back()), k = static_cast<size_t>(std::get<TopK>(a.op).k);
            std::vector<size_t> order(n);
            for (size_t row = 0; row < a.in[0]->data.size() / n; ++row) {
              const double* x = a.in[0]->data.data() + row * n;
              std::iota(order.begin(), order.end(), size_t{0});
              std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
                                [&](size_t i, size_t j) { return x[i] > x[j] || (x[i] == x[j] && i < j); });
              for (size_t j = 0; j < k; ++j) a.out[0].data[row * k + j] = x[order[j]], a.out[1].data[row * k + j] = static_cast<double>(order[j]);
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_no_gradient(g, 1, "which elements are the largest");
        return {b.emit(ScatterLast{b.type(g.in[0]).dim(-1).n}, {g.grad[0], g.out[1]})};
      },
  };
}

template <>
OpDef define<SquareSum>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        return {{Dtype::f32, {{1}}}};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes), 4, 2 * real_elements(a.in[0], a.sizes)};
      },
      .eval =
          [](EvalArgs& a) {
            for (double x : a.in[0]->data) a.out[0].data[0] += x * x;
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.mul(g.in[0], b.mul(g.grad[0], b.scalar(2)))}; },
  };
}

}  // namespace motley
