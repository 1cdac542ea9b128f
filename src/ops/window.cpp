// Windows over a sequence [B, L, C]: convolution and pooling are unfold followed by a product or a reduction; and batch normalisation,
// which in the models that use it goes with them.
#include <limits>

#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

int64_t windows(const Op& op, const Type& x, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  if (x.rank() != 3 || x.dtype != Dtype::f32 || x.dim(1).sym != Sym::none)
    fail(ErrorKind::usage, op_name(op), "takes x f32 [B, L, C], got {}", to_string(x));
  constexpr int64_t kMost = int64_t{1} << 31;
  bool sane = kernel >= 1 && stride >= 1 && padding >= 0 && dilation >= 1 && kernel < kMost && padding < kMost && dilation < kMost;
  int64_t room = sane ? x.dim(1).n + 2 * padding - dilation * (kernel - 1) - 1 : -1;
  if (room < 0)
    fail(ErrorKind::usage, op_name(op), "a window of {} (dilation {}, stride {}) does not fit {} steps with {} of padding", kernel, dilation, stride,
         x.dim(1).n, padding);
  return room / stride + 1;
}

// f(element of the folded side, element of the unfolded side) for every pair that is inside the sequence.
template <class T, class F>
void for_windows(const T& op, const Shape& folded, const Shape& unfolded, F&& f) {
  auto channels = static_cast<int64_t>(folded[2]);
  for (int64_t b = 0; b < unfolded[0]; ++b)
    for (int64_t l = 0; l < unfolded[1]; ++l)
      for (int64_t i = 0; i < op.kernel; ++i) {
        int64_t at = l * op.stride + i * op.dilation - op.padding;
        if (at < 0 || at >= folded[1]) continue;
        for (int64_t c = 0; c < channels; ++c)
          f(static_cast<size_t>((b * folded[1] + at) * channels + c), static_cast<size_t>(((b * unfolded[1] + l) * channels + c) * op.kernel + i));
      }
}

void expect_channels(const Op& op, const Type& x, std::span<const Type> vectors) {
  for (const Type& t : vectors)
    if (x.rank() < 2 || t != Type{Dtype::f32, {x.dim(-1)}})
      fail(ErrorKind::usage, op_name(op), "{} does not match the last axis of {}", to_string(t), to_string(x));
}

}  // namespace

template <>
OpDef define<Unfold>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const auto& u = std::get<Unfold>(op);
        int64_t steps = windows(op, in[0], u.kernel, u.stride, u.padding, u.dilation);
        return {{Dtype::f32, {in[0].dim(0), {steps}, in[0].dim(2), {u.kernel}}}};
      },
      .eval =
          [](EvalArgs& a) {
            const auto& u = std::get<Unfold>(a.op);
            for (double& y : a.out[0].data) y = u.fill;
            for_windows(u, a.in[0]->shape, a.out[0].shape, [&](size_t x, size_t y) { a.out[0].data[y] = a.in[0]->data[x]; });
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& u = std::get<Unfold>(g.op);
        return {b.emit(Fold{b.type(g.in[0]).dim(1).n, u.kernel, u.stride, u.padding, u.dilation}, {g.grad[0]})};
      },
  };
}

template <>
OpDef define<Fold>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const auto& f = std::get<Fold>(op);
        if (in[0].rank() != 4 || in[0].dtype != Dtype::f32 || in[0].dim(3) != Dim{f.kernel} || f.length < 0)
          fail(ErrorKind::usage, "fold", "takes windows f32 [B, L, C, {}], got {}", f.kernel, to_string(in[0]));
        Type out{Dtype::f32, {in[0].dim(0), {f.length}, in[0].dim(2)}};
        if (in[0].dim(1) != Dim{windows(op, out, f.kernel, f.stride, f.padding, f.dilation)})
          fail(ErrorKind::usage, "fold", "{} are not the windows of {}", to_string(in[0]), to_string(out));
        return {out};
      },
      .eval =
          [](EvalArgs& a) {
            for_windows(std::get<Fold>(a.op), a.out[0].shape, a.in[0]->shape, [&](size_t y, size_t x) { a.out[0].data[y] += a.in[0]->data[x]; });
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& f = std::get<Fold>(g.op);
        return {b.emit(Unfold{f.kernel, f.stride, f.padding, f.dilation, 0}, {g.grad[0]})};
      },
  };
}

template <>
OpDef define<Conv1d>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "x, w");
        const auto& c = std::get<Conv1d>(op);
        if (in[1].rank() != 3 || in[1].dtype != Dtype::f32 || in[0].rank() != 3 || in[1].dim(1) != in[0].dim(2))
          fail(ErrorKind::usage, "conv1d", "takes x [B, L, C] and w [O, C, kernel], got {} and {}", to_string(in[0]), to_string(in[1]));
        int64_t steps = windows(op, in[0], in[1].dim(2).n, c.stride, c.padding, c.dilation);
        return {{Dtype::f32, {in[0].dim(0), {steps}, in[1].dim(0)}}};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& c = std::get<Conv1d>(op);
        const Type w = b.type(in[1]);
        Value x = b.emit(Unfold{w.dim(2).n, c.stride, c.padding, c.dilation, 0}, {in[0]});
        const Type t = b.type(x);
        Dim width{w.dim(1).n * w.dim(2).n};
        x = b.reshape(x, {t.dim(0), t.dim(1), width});
        return {b.matmul(x, b.reshape(in[1], {w.dim(0), width}))};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes) + real_bytes(a.in[1], a.sizes), real_bytes(a.out[0], a.sizes),
                2 * real_elements(a.out[0], a.sizes) * static_cast<double>(a.in[1].dim(1).n * a.in[1].dim(2).n)};
      },
  };
}

template <>
OpDef define<Pool>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 1, "x");
        const auto& p = std::get<Pool>(op);
        if (2 * p.padding > p.kernel)
          fail(ErrorKind::usage, "pool", "padding of {} is more than half a window of {}: some would hold nothing", p.padding, p.kernel);
        int64_t steps = windows(op, in[0], p.kernel, p.stride, p.padding, 1);
        return {{Dtype::f32, {in[0].dim(0), {steps}, in[0].dim(2)}}};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& p = std::get<Pool>(op);
        bool max = p.kind == PoolKind::max;
        Value x = b.emit(Unfold{p.kernel, p.stride, p.padding, 1, max ? std::numeric_limits<float>::lowest() : 0}, {in[0]});
        Value y = max ? b.emit(ReduceMax{-1}, {x}) : b.emit(Mean{-1}, {x});
        Dims shape = b.type(y).shape;
        shape.pop_back();
        y = b.reshape(y, shape);
        return {p.finish == Finish::none ? y : b.act(activation_of(p.finish), y)};
      },
  };
}

template <>
OpDef define<BatchNorm>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w, b");
        expect_channels(op, in[0], in.subspan(1));
        int64_t rows = 1;
        for (int axis = 0; axis < in[0].rank() - 1; ++axis) rows *= in[0].dim(axis).sym == Sym::none ? in[0].dim(axis).n : 0;
        if (in[0].dtype != Dtype::f32 || rows < 2)
          fail(ErrorKind::usage, op_name(op), "needs a fixed number of rows, at least 2, to learn from; got {}", to_string(in[0]));
        return {in[0], in[1], in[1]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        Value x = as_rows(b, in[0]);
        const Dims shape = b.type(in[0]).shape, channels = b.type(in[1]).shape;
        auto rows = static_cast<float>(b.type(x).dim(0).n);
        Value mean = b.emit(Mean{0}, {x}), centred = b.sub(x, mean), variance = b.emit(Mean{0}, {b.mul(centred, centred)});
        Value unit = b.mul(centred, b.emit(Rsqrt{}, {b.add(variance, b.scalar(std::get<BatchNorm>(op).eps))}));
        Value y = b.reshape(b.add(b.mul(unit, in[1]), in[2]), shape);
        return {y, b.reshape(mean, channels), b.reshape(b.mul(variance, b.scalar(rows / (rows - 1))), channels)};
      },
  };
}

template <>
OpDef define<BatchNormFixed>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 5, "x, w, b, mean, variance");
        expect_channels(op, in[0], in.subspan(1));
        return {in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        Value r = b.emit(Rsqrt{}, {b.add(in[4], b.scalar(std::get<BatchNormFixed>(op).eps))});
        return {b.add(b.mul(b.mul(b.sub(in[0], in[3]), r), in[1]), in[2])};
      },
  };
}

}  // namespace motley
