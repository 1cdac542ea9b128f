// Launchers of reductions along one axis: every shape is [outer, n, inner]; inner 1 is a row, otherwise columns go in lanes.
#include <algorithm>
#include <cmath>

#include "backends/cpu/kernel.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

constexpr int64_t kElementsPerTask = 4096, kColumnsPerTask = 256, kSquareRun = 16384;

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
  if (a.inner == 1) {
    w.split(a.outer, kElementsPerTask / std::max<int64_t>(a.n, 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = l.k.reduce_row[which](x + i * a.n, a.n);
    });
    return;
  }
  // Also over columns: the sum of a whole batch has one row of results.
  int64_t parts = (a.inner + kColumnsPerTask - 1) / kColumnsPerTask;
  w.split(a.outer * parts, kElementsPerTask / std::max<int64_t>(a.n * std::min(a.inner, kColumnsPerTask), 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t i = task / parts, column = task % parts * kColumnsPerTask;
      l.k.reduce_columns[which](y + i * a.inner + column, x + i * a.n * a.inner + column, a.n, a.inner, std::min(kColumnsPerTask, a.inner - column));
    }
  });
}

// The squares of runs of fixed length, then of all runs in order: the sum does not depend on who forms which.
void square_sum(const Launch& l, Worker& w) {
  int64_t n = l.in[0]->size(), runs = (n + kSquareRun - 1) / kSquareRun;
  auto* sums = reinterpret_cast<float*>(l.scratch);
  w.split(runs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sums[i] = l.k.square_sum(l.in[0]->f32() + i * kSquareRun, std::min(kSquareRun, n - i * kSquareRun));
  });
  w.barrier();
  if (w.index() != 0) return;
  double sum = 0;
  for (int64_t i = 0; i < runs; ++i) sum += static_cast<double>(sums[i]);
  l.out[0]->f32()[0] = static_cast<float>(sum);
}

int64_t square_scratch(const NodeView& node, const Target&) { return (max_elements(node.in[0].shape) / kSquareRun + 1) * 4; }

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
    {{"square_sum", op_index<SquareSum>(), "f32", refuse_reduce, square_scratch}, square_sum},
};

}  // namespace

std::span<const CpuKernel> reduce_kernels() { return kKernels; }

}  // namespace motley::cpu
