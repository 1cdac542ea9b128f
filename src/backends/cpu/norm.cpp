// Launchers of the norms over the last axis; a row belongs to one worker.
#include <algorithm>

#include "backends/cpu/kernel.h"

namespace motley::cpu {
namespace {

constexpr int64_t kElementsPerTask = 4096;

// f(row) for every row of x.
template <class Function>
void split_rows(const Array& x, Worker& w, Function&& f) {
  int64_t n = x.dim(-1), rows = x.size() / std::max<int64_t>(n, 1);
  w.split(rows, kElementsPerTask / std::max<int64_t>(n, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) f(r * n);
  });
}

void rms_norm(const Launch& l, Worker& w) {
  const auto& op = std::get<RmsNorm>(l.op);
  const Array& x = *l.in[0];
  split_rows(x, w, [&](int64_t at) { l.k.rms_norm(l.out[0]->f32() + at, x.f32() + at, l.in[1]->f32(), x.dim(-1), op.eps, op.offset); });
}

void add_rms_norm(const Launch& l, Worker& w) {
  const auto& op = std::get<AddRmsNorm>(l.op);
  const Array &x = *l.in[0], &y = *l.in[1];
  split_rows(x, w, [&](int64_t at) {
    l.k.add_rms_norm(l.out[0]->f32() + at, l.out[1]->f32() + at, x.f32() + at, y.f32() + at, l.in[2]->f32(), x.dim(-1), op.eps, op.offset);
  });
}

void layer_norm(const Launch& l, Worker& w) {
  const Array& x = *l.in[0];
  split_rows(x, w, [&](int64_t at) {
    l.k.layer_norm(l.out[0]->f32() + at, x.f32() + at, l.in[1]->f32(), l.in[2]->f32(), x.dim(-1), std::get<LayerNorm>(l.op).eps);
  });
}

void add_layer_norm(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &y = *l.in[1];
  split_rows(x, w, [&](int64_t at) {
    l.k.add_layer_norm(l.out[0]->f32() + at, l.out[1]->f32() + at, x.f32() + at, y.f32() + at, l.in[2]->f32(), l.in[3]->f32(), x.dim(-1),
                       std::get<AddLayerNorm>(l.op).eps);
  });
}

// Gradients to a norm's weights are sums over rows. Blocks of rows of a fixed number have a partial sum each, in scratch; then the partial sums
// are added in order, so that the result does not depend on who formed which.
constexpr int64_t kRowsPerPart = 32;

// backward(at, partial sums of the block [vectors][n]) for every row; `vectors` results behind the first are sums over rows.
template <class Function>
void backward(const Launch& l, Worker& w, int64_t vectors, Function&& function) {
  const Array& x = *l.in[0];
  int64_t n = x.dim(-1), rows = x.size() / std::max<int64_t>(n, 1), parts = (rows + kRowsPerPart - 1) / kRowsPerPart;
  auto* sums = reinterpret_cast<float*>(l.scratch);
  w.split(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      float* mine = sums + part * vectors * n;
      std::fill_n(mine, vectors * n, 0.0f);
      for (int64_t r = part * kRowsPerPart; r < std::min(rows, (part + 1) * kRowsPerPart); ++r) function(r * n, mine);
    }
  });
  w.barrier();
  w.split((vectors * n + 255) / 256, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task)
      for (int64_t c = task * 256; c < std::min(vectors * n, (task + 1) * 256);) {
        int64_t vector = c / n, stop = std::min({(task + 1) * 256, (vector + 1) * n, vectors * n});
        l.k.reduce_columns[kReduceSum](l.out[static_cast<size_t>(1 + vector)]->f32() + c % n, sums + c, parts, vectors * n, stop - c);
        c = stop;
      }
  });
}

template <int kVectors>
int64_t backward_scratch(const NodeView& node, const Target&) {
  int64_t n = std::max<int64_t>(node.in[0].dim(-1).n, 1), rows = max_elements(node.in[0].shape) / n;
  return (rows / kRowsPerPart + 1) * kVectors * n * 4;
}

void rms_norm_grad(const Launch& l, Worker& w) {
  const auto& op = std::get<RmsNormGrad>(l.op);
  const Array& x = *l.in[0];
  backward(l, w, 1, [&](int64_t at, float* dw) {
    l.k.rms_norm_grad(l.out[0]->f32() + at, dw, x.f32() + at, l.in[1]->f32(), l.in[2]->f32() + at, x.dim(-1), op.eps, op.offset);
  });
}

void layer_norm_grad(const Launch& l, Worker& w) {
  const Array& x = *l.in[0];
  backward(l, w, 2, [&](int64_t at, float* sums) {
    l.k.layer_norm_grad(l.out[0]->f32() + at, sums, sums + x.dim(-1), x.f32() + at, l.in[1]->f32(), l.in[2]->f32() + at, x.dim(-1),
                        std::get<LayerNormGrad>(l.op).eps);
  });
}

std::string refuse_norm(const NodeView& node, const Target&) { return refuse_unless_plain(node); }

std::string refuse_add_norm(const NodeView& node, const Target&) {
  if (node.in[0] != node.in[1]) return "x and y have different shapes";
  return refuse_unless_plain(node);
}

constexpr CpuKernel kKernels[] = {
    {{.name = "rms_norm", .op = op_index<RmsNorm>(), .numerics = "f32", .refuse = refuse_norm}, rms_norm},
    {{.name = "add_rms_norm", .op = op_index<AddRmsNorm>(), .numerics = "f32", .refuse = refuse_add_norm}, add_rms_norm},
    {{.name = "layer_norm", .op = op_index<LayerNorm>(), .numerics = "f32", .refuse = refuse_norm}, layer_norm},
    {{.name = "add_layer_norm", .op = op_index<AddLayerNorm>(), .numerics = "f32", .refuse = refuse_add_norm}, add_layer_norm},
    {{"rms_norm_grad", op_index<RmsNormGrad>(), "f32", refuse_norm, backward_scratch<1>}, rms_norm_grad},
    {{"layer_norm_grad", op_index<LayerNormGrad>(), "f32", refuse_norm, backward_scratch<2>}, layer_norm_grad},
};

}  // namespace

std::span<const CpuKernel> norm_kernels() { return kKernels; }

}  // namespace motley::cpu
