// Launchers of unfold, fold and max pooling: windows over a sequence, channels last. Unfold and fold only move or add elements; a sequence belongs
// to one worker.
#include <algorithm>
#include <limits>

#include "backends/cpu/kernel.h"

namespace motley::cpu {
namespace {

// f(element of [L, C], element of [L', C, kernel]) of one sequence, by rising step: the order in which fold adds.
template <class Op, class Function>
void for_windows(const Op& op, int64_t length, int64_t steps, int64_t channels, Function&& f) {
  for (int64_t l = 0; l < steps; ++l)
    for (int64_t i = 0; i < op.kernel; ++i) {
      int64_t at = l * op.stride + i * op.dilation - op.padding;
      if (at < 0 || at >= length) continue;
      for (int64_t c = 0; c < channels; ++c) f(at * channels + c, (l * channels + c) * op.kernel + i);
    }
}

void unfold(const Launch& l, Worker& w) {
  const auto& op = std::get<Unfold>(l.op);
  const Array &x = *l.in[0], &y = *l.out[0];
  int64_t folded = x.dims[1] * x.dims[2], unfolded = y.dims[1] * y.dims[2] * y.dims[3];
  w.split(x.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float* from = x.f32() + b * folded;
      float* to = y.f32() + b * unfolded;
      std::fill_n(to, unfolded, op.fill);
      for_windows(op, x.dims[1], y.dims[1], x.dims[2], [&](int64_t i, int64_t j) { to[j] = from[i]; });
    }
  });
}

void fold(const Launch& l, Worker& w) {
  const auto& op = std::get<Fold>(l.op);
  const Array &x = *l.in[0], &y = *l.out[0];
  int64_t folded = y.dims[1] * y.dims[2], unfolded = x.dims[1] * x.dims[2] * x.dims[3];
  w.split(x.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float* from = x.f32() + b * unfolded;
      float* to = y.f32() + b * folded;
      std::fill_n(to, folded, 0.0f);
      for_windows(op, y.dims[1], x.dims[1], x.dims[2], [&](int64_t i, int64_t j) { to[i] += from[j]; });
    }
  });
}

// The largest of each window, and what activation is taken of it: a row of channels at a time, so no window is laid out.
void pool(const Launch& l, Worker& w) {
  const auto& op = std::get<Pool>(l.op);
  const Array &x = *l.in[0], &y = *l.out[0];
  const int64_t length = x.dims[1], channels = x.dims[2], steps = y.dims[1];
  w.split(x.dims[0] * steps, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* from = x.f32() + row / steps * length * channels;
      float* to = y.f32() + row * channels;
      const int64_t first = row % steps * op.stride - op.padding, low = std::max<int64_t>(first, 0), high = std::min(first + op.kernel, length);
      if (high - low < op.kernel)
        std::fill_n(to, channels, std::numeric_limits<float>::lowest());  // what lies outside counts as this
      else
        std::copy_n(from + low * channels, channels, to);
      for (int64_t at = low; at < high; ++at) l.k.binary[kMaximum](to, to, from + at * channels, channels, 1, 1);
      if (op.finish != Finish::none) l.k.unary[kSilu + static_cast<int>(activation_of(op.finish))](to, to, channels, 0);
    }
  });
}

std::string refuse_pool(const NodeView& node, const Target&) {
  if (std::get<Pool>(node.op).kind != PoolKind::max) return "takes the largest; averages are windows and their mean";
  return refuse_unless_plain(node);
}

std::string refuse_windows(const NodeView& node, const Target&) { return refuse_unless_plain(node); }

constexpr CpuKernel kKernels[] = {
    {{"unfold", op_index<Unfold>(), "exact", refuse_windows}, unfold},
    {{"max_pool", op_index<Pool>(), "exact", refuse_pool}, pool},
    {{"fold", op_index<Fold>(), "f32", refuse_windows}, fold},
};

}  // namespace

std::span<const CpuKernel> window_kernels() { return kKernels; }

}  // namespace motley::cpu
