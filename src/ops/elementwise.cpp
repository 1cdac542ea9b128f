// Ops that treat each element alone: two inputs broadcast from the back; the composites are the activations of the field.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/builder.h"
#include "ops/def.h"
#include "ops/rules.h"
#include "tensor/half.h"

namespace motley {
namespace {

// For each element of `out`, its index in an input of shape `in` that broadcasts to it.
std::vector<size_t> broadcast_index(const Shape& in, const Shape& out) {
  size_t n = static_cast<size_t>(num_elements(out));
  std::vector<size_t> index(n, 0);
  size_t stride = 1, repeat = 1;
  for (size_t back = 1; back <= out.size(); ++back) {
    auto extent = static_cast<size_t>(out[out.size() - back]);
    bool own = back <= in.size() && in[in.size() - back] != 1;
    if (own) {
      for (size_t i = 0; i < n; ++i) index[i] += i / repeat % extent * stride;
      stride *= extent;
    }
    repeat *= extent;
  }
  return index;
}

template <class F>
void eval_binary(EvalArgs& a, F f) {
  auto x = broadcast_index(a.in[0]->shape, a.out[0].shape), y = broadcast_index(a.in[1]->shape, a.out[0].shape);
  for (size_t i = 0; i < a.out[0].data.size(); ++i) a.out[0].data[i] = f(a.in[0]->data[x[i]], a.in[1]->data[y[i]]);
}

template <class F>
void eval_unary(EvalArgs& a, F f) {
  for (size_t i = 0; i < a.out[0].data.size(); ++i) a.out[0].data[i] = f(a.in[0]->data[i]);
}

Types infer_binary(const Op& op, std::span<const Type> in) {
  expect_inputs(op, in, 2, "x, y");
  return {broadcast(op, in[0], in[1])};
}

Types infer_unary(const Op& op, std::span<const Type> in) {
  expect_inputs(op, in, 1, "x");
  return {in[0]};
}

}  // namespace

// clang-format off
template <> OpDef define<Add>() { return {.infer = infer_binary, .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x + y; }); }}; }
template <> OpDef define<Sub>() { return {.infer = infer_binary, .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x - y; }); }}; }
template <> OpDef define<Mul>() { return {.infer = infer_binary, .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x * y; }); }}; }
template <> OpDef define<Div>() { return {.infer = infer_binary, .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x / y; }); }}; }
template <> OpDef define<Maximum>() { return {.infer = infer_binary, .eval = [](EvalArgs& a) {
  eval_binary(a, [](double x, double y) { return std::isnan(x) || std::isnan(y) ? std::nan("") : std::max(x, y); }); }}; }
template <> OpDef define<Neg>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return -x; }); }}; }
template <> OpDef define<Exp>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::exp(x); }); }}; }
template <> OpDef define<Sqrt>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::sqrt(x); }); }}; }
template <> OpDef define<Rsqrt>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return 1 / std::sqrt(x); }); }}; }
template <> OpDef define<Tanh>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::tanh(x); }); }}; }
template <> OpDef define<Erf>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::erf(x); }); }}; }
template <> OpDef define<Sigmoid>() { return {.infer = infer_unary, .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return 1 / (1 + std::exp(-x)); }); }}; }
// clang-format on

template <>
OpDef define<Cast>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        Dtype to = std::get<Cast>(op).dtype;
        if (is_quantised(to) || is_quantised(in[0].dtype))
          fail(ErrorKind::usage, "cast", "converts between plain types, not {} to {}", to_string(in[0]), name(to));
        return {{to, in[0].shape}};
      },
      .eval =
          [](EvalArgs& a) {
            Dtype to = a.out_types[0].dtype;
            eval_unary(a, [to](double x) -> double {
              if (to == Dtype::f32) return static_cast<float>(x);
              if (to == Dtype::f16) return f16_to_float(float_to_f16(static_cast<float>(x)));
              if (to == Dtype::bf16) return bf16_to_float(float_to_bf16(static_cast<float>(x)));
              return is_float(to) ? x : std::trunc(x);
            });
          },
  };
}

template <>
OpDef define<Act>() {
  return {
      .infer = infer_unary,
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        Value x = in[0];
        switch (std::get<Act>(op).kind) {
          case Activation::silu:  // x * sigmoid(x). Elfwing et al. 2017
            return {b.mul(x, b.emit(Sigmoid{}, {x}))};
          case Activation::relu:
            return {b.emit(Maximum{}, {x, b.scalar(0)})};
          case Activation::gelu: {  // x * Phi(x). Hendrycks & Gimpel 2016
            Value phi = b.add(b.emit(Erf{}, {b.mul(x, b.scalar(static_cast<float>(std::numbers::sqrt2 / 2)))}), b.scalar(1));
            return {b.mul(b.mul(x, b.scalar(0.5f)), phi)};
          }
          case Activation::gelu_tanh: {  // the same paper's approximation: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
            Value cube = b.mul(b.mul(b.mul(x, x), x), b.scalar(0.044715f));
            Value t = b.emit(Tanh{}, {b.mul(b.add(x, cube), b.scalar(static_cast<float>(std::sqrt(2 / std::numbers::pi))))});
            return {b.mul(b.mul(x, b.scalar(0.5f)), b.add(t, b.scalar(1)))};
          }
        }
        return {};
      },
  };
}

template <>
OpDef define<Glu>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "gate, up");
        if (in[0] != in[1]) fail(ErrorKind::usage, "glu", "gate {} and up {} differ", to_string(in[0]), to_string(in[1]));
        return {in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        return {b.mul(b.act(std::get<Glu>(op).kind, in[0]), in[1])};
      },
  };
}

template <>
OpDef define<Softcap>() {
  return {
      .infer = infer_unary,
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        float cap = std::get<Softcap>(op).cap;
        return {b.mul(b.emit(Tanh{}, {b.div(in[0], b.scalar(cap))}), b.scalar(cap))};
      },
  };
}

}  // namespace motley
