// Ops that treat each element alone: two inputs broadcast from the back; the composites are the activations of the field.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
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

// Gradients to two inputs that may have been broadcast; formed only where they are wanted.
std::vector<Value> to_both(Builder& b, const GradientArgs& g, Value to_x, Value to_y) {
  return {g.wants(0) ? sum_to(b, to_x, b.type(g.in[0])) : Value{}, g.wants(1) ? sum_to(b, to_y, b.type(g.in[1])) : Value{}};
}

// x Phi(x), the normal distribution's integral and its bell. Hendrycks & Gimpel 2016
Value normal_integral(Builder& b, Value x) {
  Value erf = b.emit(Erf{}, {b.mul(x, b.scalar(static_cast<float>(std::numbers::sqrt2 / 2)))});
  return b.mul(b.add(erf, b.scalar(1)), b.scalar(0.5f));
}

// The same paper's approximation: 0.5 x (1 + t), t = tanh(sqrt(2/pi) (x + 0.044715 x^3))
constexpr float kCubic = 0.044715f;
const float kTanhScale = static_cast<float>(std::sqrt(2 / std::numbers::pi));
Value gelu_turn(Builder& b, Value x) {
  Value cube = b.mul(b.mul(b.mul(x, x), x), b.scalar(kCubic));
  return b.emit(Tanh{}, {b.mul(b.add(x, cube), b.scalar(kTanhScale))});
}

// The derivative of an activation at x.
Value slope(Builder& b, Activation kind, Value x) {
  Value one = b.scalar(1), half = b.scalar(0.5f);
  switch (kind) {
    case Activation::silu: {  // s (1 + x (1 - s))
      Value s = b.emit(Sigmoid{}, {x});
      return b.mul(s, b.add(one, b.mul(x, b.sub(one, s))));
    }
    case Activation::relu:
      return b.emit(Less{}, {b.scalar(0), x});
    case Activation::gelu: {
      Value bell = b.emit(Exp{}, {b.mul(b.mul(x, x), b.scalar(-0.5f))});
      return b.add(normal_integral(b, x), b.mul(b.mul(x, bell), b.scalar(static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2))));
    }
    case Activation::gelu_tanh: {
      Value t = gelu_turn(b, x);
      Value inner = b.mul(b.add(one, b.mul(b.mul(x, x), b.scalar(3 * kCubic))), b.scalar(kTanhScale));
      return b.mul(b.add(b.add(one, t), b.mul(b.mul(x, b.sub(one, b.mul(t, t))), inner)), half);
    }
  }
  return {};
}

}  // namespace

// clang-format off
template <> OpDef define<Add>() { return {
  .infer = infer_binary,
  .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x + y; }); },
  .gradient = [](Builder& b, const GradientArgs& g) { return to_both(b, g, g.grad[0], g.grad[0]); },
  .precision = Precision::follows}; }
template <> OpDef define<Sub>() { return {
  .infer = infer_binary,
  .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x - y; }); },
  .gradient = [](Builder& b, const GradientArgs& g) { return to_both(b, g, g.grad[0], g.wants(1) ? b.emit(Neg{}, {g.grad[0]}) : Value{}); },
  .precision = Precision::follows}; }
template <> OpDef define<Mul>() { return {
  .infer = infer_binary,
  .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x * y; }); },
  .gradient = [](Builder& b, const GradientArgs& g) {
    return to_both(b, g, g.wants(0) ? b.mul(g.grad[0], g.in[1]) : Value{}, g.wants(1) ? b.mul(g.grad[0], g.in[0]) : Value{}); },
  .precision = Precision::follows}; }
template <> OpDef define<Div>() { return {
  .infer = infer_binary,
  .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x / y; }); },
  .gradient = [](Builder& b, const GradientArgs& g) {
    Value to_x = b.div(g.grad[0], g.in[1]);
    return to_both(b, g, to_x, g.wants(1) ? b.emit(Neg{}, {b.mul(to_x, g.out[0])}) : Value{}); }}; }
template <> OpDef define<Maximum>() { return {
  .infer = infer_binary,
  .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return std::isnan(x) || std::isnan(y) ? std::nan("") : std::max(x, y); }); },
  .gradient = [](Builder& b, const GradientArgs& g) {  // to the larger; to x where both are equal
    Value to_y = b.mul(g.grad[0], b.emit(Less{}, {g.in[0], g.in[1]}));
    return to_both(b, g, b.sub(g.grad[0], to_y), to_y); },
  .precision = Precision::follows}; }
template <> OpDef define<Less>() { return {
  .infer = infer_binary,
  .eval = [](EvalArgs& a) { eval_binary(a, [](double x, double y) { return x < y ? 1.0 : 0.0; }); },
  .gradient = [](Builder&, const GradientArgs&) -> std::vector<Value> { return {{}, {}}; }}; }  // a step: flat on both sides
template <> OpDef define<Neg>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return -x; }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.emit(Neg{}, {g.grad[0]})}; },
  .precision = Precision::follows}; }
template <> OpDef define<Exp>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::exp(x); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.mul(g.grad[0], g.out[0])}; }}; }
template <> OpDef define<Log>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::log(x); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.div(g.grad[0], g.in[0])}; }}; }
template <> OpDef define<Sqrt>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::sqrt(x); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> { return {b.mul(b.div(g.grad[0], g.out[0]), b.scalar(0.5f))}; }}; }
template <> OpDef define<Rsqrt>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return 1 / std::sqrt(x); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // -y^3 / 2
    return {b.mul(b.mul(g.grad[0], b.div(g.out[0], g.in[0])), b.scalar(-0.5f))}; }}; }
template <> OpDef define<Tanh>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::tanh(x); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // 1 - y^2
    return {b.mul(g.grad[0], b.sub(b.scalar(1), b.mul(g.out[0], g.out[0])))}; }}; }
template <> OpDef define<Erf>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return std::erf(x); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // 2 / sqrt(pi) e^(-x^2)
    Value bell = b.emit(Exp{}, {b.emit(Neg{}, {b.mul(g.in[0], g.in[0])})});
    return {b.mul(b.mul(g.grad[0], bell), b.scalar(static_cast<float>(2 * std::numbers::inv_sqrtpi)))}; }}; }
template <> OpDef define<Sigmoid>() { return {
  .infer = infer_unary,
  .eval = [](EvalArgs& a) { eval_unary(a, [](double x) { return 1 / (1 + std::exp(-x)); }); },
  .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // y (1 - y)
    return {b.mul(g.grad[0], b.mul(g.out[0], b.sub(b.scalar(1), g.out[0])))}; }}; }
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
      // Gradients are f32 whatever is rounded on the way (straight through).
      .gradient = [](Builder&, const GradientArgs& g) -> std::vector<Value> { return {g.grad[0]}; },
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
          case Activation::gelu:
            return {b.mul(x, normal_integral(b, x))};
          case Activation::gelu_tanh:
            return {b.mul(b.mul(x, b.scalar(0.5f)), b.add(gelu_turn(b, x), b.scalar(1)))};
        }
        return {};
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        return {b.emit(ActGrad{std::get<Act>(g.op).kind}, {g.in[0], g.grad[0]})};
      },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<ActGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "x, dy");
        expect_f32(op, in[1], in[0].shape, "dy");
        return {in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        return {b.mul(in[1], slope(b, std::get<ActGrad>(op).kind, in[0]))};
      },
      .precision = Precision::follows,
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
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        Activation kind = std::get<Glu>(g.op).kind;
        return {g.wants(0) ? b.emit(ActGrad{kind}, {g.in[0], b.mul(g.grad[0], g.in[1])}) : Value{},
                g.wants(1) ? b.mul(g.grad[0], b.act(kind, g.in[0])) : Value{}};
      },
      .precision = Precision::follows,
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
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // 1 - (y / cap)^2
        Value t = b.div(g.out[0], b.scalar(std::get<Softcap>(g.op).cap));
        return {b.mul(g.grad[0], b.sub(b.scalar(1), b.mul(t, t)))};
      },
      .precision = Precision::follows,
  };
}

}  // namespace motley
