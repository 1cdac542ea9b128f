// Launchers of products in which nothing is packed ahead: a weight that learns, read by rows (forward) or by columns (the gradient to x), and
// the product of two activations that is the gradient to a weight. All go through gemm.
#include <algorithm>
#include <cstring>

#include "backends/cpu/gemm.h"
#include "backends/cpu/layout.h"
#include "base/error.h"

namespace motley::cpu {
namespace {

int64_t row_count(const Array& x) { return x.size() / std::max<int64_t>(x.dim(-1), 1); }
int64_t row_count(const Type& x) { return max_elements(x.shape) / std::max<int64_t>(x.dim(-1).n, 1); }

// f(begin, count) over runs of y's elements.
template <class Function>
void split_runs(const Array& y, Worker& w, Function&& f) {
  constexpr int64_t kRun = 4096;
  w.split((y.size() + kRun - 1) / kRun, 1, [&](int64_t begin, int64_t end) { f(begin * kRun, std::min(y.size(), end * kRun) - begin * kRun); });
}
void zero(const Array& y, Worker& w) {
  split_runs(y, w, [&](int64_t at, int64_t n) { std::fill_n(y.f32() + at, n, 0.0f); });
}
void copy(const float* from, const Array& to, Worker& w) {
  split_runs(to, w, [&](int64_t at, int64_t n) { std::copy_n(from + at, n, to.f32() + at); });
}

Gemm product(const Launch& l, bool transposed) {
  const Array &x = *l.in[0], &weight = *l.in[1], &y = *l.out[0];
  int64_t n = y.dim(-1), k = x.dim(-1);
  return {.m = row_count(x),
          .n = n,
          .k = k,
          .a = x.f32(),
          .a_row = k,
          .a_k = 1,
          .b = weight.f32(),
          .b_k = transposed ? 1 : n,
          .b_column = transposed ? k : 1,
          .c = y.f32(),
          .c_row = n};
}

void matmul(const Launch& l, Worker& w) { gemm(product(l, std::get<Matmul>(l.op).transpose_w), l.k, l.scratch, w); }

void fused_matmul(const Launch& l, Worker& w) {
  const Epilogue epilogue = epilogue_of(l);
  Gemm g = product(l, std::get<FusedMatmul>(l.op).transpose_w);
  g.c = epilogue.out;
  g.epilogue = &epilogue;
  gemm(g, l.k, l.scratch, w);
}

Gemm outer(const float* a, const float* b, int64_t rows, int64_t n, int64_t k, float* out) {
  return {.m = n, .n = k, .k = rows, .a = a, .a_row = 1, .a_k = n, .b = b, .b_k = k, .b_column = 1, .c = out, .c_row = k};
}

void outer_sum(const Launch& l, Worker& w) {
  const Array &a = *l.in[0], &b = *l.in[1], &y = *l.out[0];
  const float* before = l.in.size() == 3 ? l.in[2]->f32() : nullptr;
  Gemm g = outer(a.f32(), b.f32(), row_count(a), a.dim(-1), b.dim(-1), y.f32());
  g.add = before != nullptr;
  if (before && before != y.f32()) {
    copy(before, y, w);
    w.barrier();
  }
  if (g.k > 0) return gemm(g, l.k, l.scratch, w);
  if (!before) zero(y, w);
}

// Scratch: where each expert's rows begin, their order, copies of both sides in that order, then gemm's own.
struct ExpertScratch {
  int64_t rows, experts, n, k;
  int64_t lists() const { return ((experts + 2 + rows) * 4 + 63) / 64 * 64; }
  int64_t copies() const { return (rows * (n + k) * 4 + 63) / 64 * 64; }
  int64_t bytes() const { return lists() + copies() + gemm_scratch(n, k, rows); }
};

void expert_outer_sum(const Launch& l, Worker& w) {
  const Array &a = *l.in[0], &b = *l.in[1], &ids = *l.in[2], &y = *l.out[0];
  ExpertScratch s{ids.size(), y.dims[0], a.dim(-1), b.dim(-1)};
  int64_t share = b.rank == 2 ? ids.dims[1] : 1;
  auto* begins = reinterpret_cast<int32_t*>(l.scratch);
  int32_t* order = begins + s.experts + 2;
  auto* left = reinterpret_cast<float*>(l.scratch + s.lists());
  float* right = left + s.rows * s.n;
  if (w.index() == 0) {
    std::fill(begins, begins + s.experts + 2, 0);
    for (int64_t i = 0; i < s.rows; ++i) {
      int64_t id = ids.i32()[i];
      if (id < 0 || id >= s.experts) fail(ErrorKind::usage, "expert_outer_sum", "expert {} of {}", id, s.experts);
      ++begins[id + 2];
    }
    for (int64_t e = 0; e <= s.experts; ++e) begins[e + 1] += begins[e];
    for (int64_t i = 0; i < s.rows; ++i) order[begins[ids.i32()[i] + 1]++] = static_cast<int32_t>(i);  // now begins[e] .. begins[e + 1]
  }
  w.barrier();
  w.split(s.rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::memcpy(left + i * s.n, a.f32() + order[i] * s.n, static_cast<size_t>(s.n) * 4);
      std::memcpy(right + i * s.k, b.f32() + order[i] / share * s.k, static_cast<size_t>(s.k) * 4);
    }
  });
  zero(y, w);
  std::byte* own = l.scratch + s.lists() + s.copies();
  for (int64_t e = 0; e < s.experts; ++e) {
    int64_t first = begins[e], rows = begins[e + 1] - first;
    if (rows == 0) continue;
    w.barrier();
    gemm(outer(left + first * s.n, right + first * s.k, rows, s.n, s.k, y.f32() + e * s.n * s.k), l.k, own, w);
  }
}

std::string refuse_matmul(const NodeView& node, const Target&) {
  for (const Dim& d : node.in[0].shape)
    if (d.sym != Sym::none) return "wants every size bound";
  if (node.in[1].dtype != Dtype::f32) return "multiplies f32";
  if (row_count(node.in[0]) < 16) return "wants 16 rows or more";
  return refuse_layouts(node);
}
int64_t matmul_scratch(const NodeView& node, const Target&) {
  return gemm_scratch(row_count(node.in[0]), node.out[0].dim(-1).n, node.in[0].dim(-1).n);
}
std::string refuse_outer(const NodeView& node, const Target&) { return refuse_layouts(node); }
int64_t outer_scratch(const NodeView& node, const Target&) { return gemm_scratch(node.out[0].dim(0).n, node.out[0].dim(1).n, row_count(node.in[0])); }
int64_t expert_scratch(const NodeView& node, const Target&) {
  return ExpertScratch{max_elements(node.in[2].shape), node.out[0].dim(0).n, node.out[0].dim(1).n, node.out[0].dim(2).n}.bytes();
}

// The sums are those of the products with weights, bit for bit.
constexpr const char* kNumerics = "panel.chunk256";
constexpr CpuKernel kKernels[] = {
    {{"matmul_gemm", op_index<Matmul>(), kNumerics, refuse_matmul, matmul_scratch}, matmul},
    {{"fused_matmul_gemm", op_index<FusedMatmul>(), kNumerics, refuse_matmul, matmul_scratch}, fused_matmul},
    {{"outer_sum", op_index<OuterSum>(), kNumerics, refuse_outer, outer_scratch, 2}, outer_sum},
    {{"expert_outer_sum", op_index<ExpertOuterSum>(), kNumerics, refuse_outer, expert_scratch}, expert_outer_sum},
};

}  // namespace

std::span<const CpuKernel> gradient_product_kernels() { return kKernels; }

}  // namespace motley::cpu
