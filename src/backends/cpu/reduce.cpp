// Launchers of reductions along one axis: every shape is [outer, n, inner]; inner 1 is a row, otherwise columns go in lanes.
#include <cmath>

#include "backends/cpu/kernel.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

constexpr int64_t kElementsPerTask = 4096;

struct Axis {
  int64_t outer = 1, n = 1, inner = 1;
};

Axis axis_of(const Array& x, int axis) {
  if (axis < 0) axis += x.rank;
  Axis a;
  for (int i = 0; i < x.rank; ++i) (i < axis ? a.outer : i == axis ? a.n : a.inner) *= x.dims[i];
  return a;
}

void reduce(Reduction which, int axis, const Launch& l, Worker& w) {
  Axis a = axis_of(*l.in[0], axis);
  const float* x = l.in[0]->f32();
  float* y = l.out[0]->f32();
  w.split(a.outer, kElementsPerTask / std::max<int64_t>(a.n * a.inner, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (a.inner == 1)
        y[i] = l.k.reduce_row[which](x + i * a.n, a.n);
      else
        l.k.reduce_columns[which](y + i * a.inner, x + i * a.n * a.inner, a.n, a.inner, a.inner);
    }
  });
}

void sum(const Launch& l, Worker& w) { reduce(kReduceSum, std::get<Sum>(l.op).axis, l, w); }
void mean(const Launch& l, Worker& w) { reduce(kReduceMean, std::get<Mean>(l.op).axis, l, w); }
void reduce_max(const Launch& l, Worker& w) { reduce(kReduceMax, std::get<ReduceMax>(l.op).axis, l, w); }

void softmax(const Launch& l, Worker& w) {
  Axis a = axis_of(*l.in[0], std::get<Softmax>(l.op).axis);
  const float* x = l.in[0]->f32();
  float* y = l.out[0]->f32();
  int64_t size = a.n * a.inner;
  w.split(a.outer, kElementsPerTask / std::max<int64_t>(size, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if (a.inner == 1)
        l.k.softmax_row(y + i * a.n, x + i * a.n, a.n);
      else
        l.k.softmax_columns(y + i * size, x + i * size, a.n, a.inner, a.inner);
    }
  });
}

// Insertion into the k best so far; an equal value that comes later stays behind. NaN counts as the smallest.
void top_k_row(const float* x, int64_t n, int64_t k, float* value, int32_t* index) {
  int64_t have = 0;
  for (int64_t i = 0; i < n; ++i) {
    float v = std::isnan(x[i]) ? -INFINITY : x[i];
    if (have == k && !(v > value[k - 1])) continue;
    int64_t at = have < k ? have++ : k - 1;
    for (; at > 0 && v > value[at - 1]; --at) value[at] = value[at - 1], index[at] = index[at - 1];
    value[at] = v, index[at] = static_cast<int32_t>(i);
  }
  for (int64_t j = 0; j < have; ++j) value[j] = x[index[j]];
}

void top_k(const Launch& l, Worker& w) {
  int64_t k = std::get<TopK>(l.op).k, n = l.in[0]->dim(-1);
  w.split(l.in[0]->size() / std::max<int64_t>(n, 1), kElementsPerTask / std::max<int64_t>(n, 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) top_k_row(l.in[0]->f32() + r * n, n, k, l.out[0]->f32() + r * k, l.out[1]->i32() + r * k);
  });
}

std::string refuse_reduce(const NodeView& node, const Target&) { return refuse_unless_plain(node); }
std::string refuse_top_k(const NodeView& node, const Target&) { return node.in[0].dtype == Dtype::f32 ? refuse_layouts(node) : "takes f32"; }

template <class T>
constexpr CpuKernel entry(const char* name, void (*run)(const Launch&, Worker&),
                          std::string (*refuse)(const NodeView&, const Target&) = refuse_reduce) {
  return {{.name = name, .op = op_index<T>(), .numerics = "f32", .refuse = refuse}, run};
}

constexpr CpuKernel kKernels[] = {
    entry<Sum>("sum", sum),
    entry<Mean>("mean", mean),
    entry<ReduceMax>("reduce_max", reduce_max),
    entry<Softmax>("softmax", softmax),
    entry<TopK>("top_k", top_k, refuse_top_k),
};

}  // namespace

std::span<const CpuKernel> reduce_kernels() { return kKernels; }

}  // namespace motley::cpu
