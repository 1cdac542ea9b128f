// Launchers of the cross-entropy over logits: a row is read twice while it is in cache; the rows' losses are summed in order at the end.
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel.h"
#include "base/error.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

int64_t target_of(const Launch& l, int64_t row) {
  int64_t target = l.in[1]->i32()[row], classes = l.in[0]->dims[1];
  if (target != kIgnoreTarget && (target < 0 || target >= classes))
    fail(ErrorKind::usage, op_name(l.op), "row {} has target {}, of {} classes; {} leaves a row out", row, target, classes, kIgnoreTarget);
  return target;
}

int64_t grain(int64_t classes) { return 16384 / classes + 1; }

void cross_entropy(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &lse = *l.out[2];
  int64_t rows = x.dims[0], n = x.dims[1];
  float e = std::get<CrossEntropy>(l.op).smoothing;
  auto* losses = reinterpret_cast<float*>(l.scratch);
  w.split(rows, grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t target = target_of(l, r);
      losses[r] = lse.f32()[r] = 0;
      if (target == kIgnoreTarget) continue;
      const float* row = x.f32() + r * n;
      float s = lse.f32()[r] = l.k.log_sum_exp(row, n);
      losses[r] = (1 - e) * (s - row[target]);
      if (e > 0) losses[r] += e * (s - l.k.reduce_row[kReduceMean](row, n));
    }
  });
  w.barrier();
  if (w.index() != 0) return;
  double sum = 0;
  int64_t count = 0;
  for (int64_t r = 0; r < rows; ++r) sum += static_cast<double>(losses[r]), count += l.in[1]->i32()[r] != kIgnoreTarget;
  l.out[0]->f32()[0] = static_cast<float>(sum);
  l.out[1]->f32()[0] = static_cast<float>(count);
}

void cross_entropy_grad(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &lse = *l.in[2], &y = *l.out[0];
  int64_t n = x.dims[1];
  float e = std::get<CrossEntropyGrad>(l.op).smoothing, scale = l.in[3]->f32()[0];
  w.split(x.dims[0], grain(n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t target = target_of(l, r);
      float* to = y.f32() + r * n;
      if (target == kIgnoreTarget) {
        std::fill_n(to, n, 0.0f);
        continue;
      }
      l.k.softmax_grad(to, x.f32() + r * n, n, lse.f32()[r], scale, e / static_cast<float>(n));
      to[target] -= scale * (1 - e);
    }
  });
}

std::string refuse_loss(const NodeView& node, const Target&) { return refuse_layouts(node); }
int64_t loss_scratch(const NodeView& node, const Target&) { return max_elements(node.in[1].shape) * 4; }

constexpr CpuKernel kKernels[] = {
    {{"cross_entropy", op_index<CrossEntropy>(), "f32", refuse_loss, loss_scratch}, cross_entropy},
    {{"cross_entropy_grad", op_index<CrossEntropyGrad>(), "f32", refuse_loss}, cross_entropy_grad},
};

}  // namespace

std::span<const CpuKernel> loss_kernels() { return kKernels; }

}  // namespace motley::cpu
