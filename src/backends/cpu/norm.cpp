// Launchers of the norms over the last axis; a row belongs to one worker.
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

std::string refuse_norm(const NodeView& node, const Target&) { return refuse_unless_plain(node); }

std::string refuse_add_norm(const NodeView& node, const Target&) {
  if (node.in[0] != node.in[1]) return "x and y have different shapes";
  return refuse_unless_plain(node);
}

constexpr CpuKernel kKernels[] = {
    {{.name = "rms_norm", .op = op_index<RmsNorm>(), .numerics = "f32", .refuse = refuse_norm}, rms_norm},
    {{.name = "add_rms_norm", .op = op_index<AddRmsNorm>(), .numerics = "f32", .refuse = refuse_add_norm}, add_rms_norm},
    {{.name = "layer_norm", .op = op_index<LayerNorm>(), .numerics = "f32", .refuse = refuse_norm}, layer_norm},
};

}  // namespace

std::span<const CpuKernel> norm_kernels() { return kKernels; }

}  // namespace motley::cpu
