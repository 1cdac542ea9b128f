// A frozen weight W [N, K] of any format as the right-hand side of a gemm: its values become floats 256 x 64 or 256 x 256 at a time, by whoever
// multiplies with them next, from the one resident copy.
//
//   gemm({.m = rows, .n = k, .k = n, .a = dy, ...}, WeightColumns(w, l.k), l.k, l.scratch, worker);   // dy W: the gradient to what W multiplied
//   gemm({.m = rows, .n = n, .k = k, .a = x, ...}, WeightRows(w, l.k), l.k, l.scratch, worker);       // x W'
#pragma once
#include "backends/cpu/gemm.h"

namespace motley::cpu {

// b(l, j) = W(l, j): sums run over the rows of W. Block formats may be packed.
class WeightColumns final : public PanelSource {
 public:
  WeightColumns(const Array& w, const KernelTable& k) : w_(w), k_(k) {}
  int64_t group() const override { return kMaxGroup; }
  void fill(int64_t first, int64_t count, int64_t l0, int64_t n, float* to, float* spare) const override;

 private:
  void from_rows(int64_t column, int64_t columns, int64_t count, int64_t l0, int64_t n, float* to, float* spare) const;
  void from_panels(int64_t column, int64_t columns, int64_t l0, int64_t n, float* to, float* spare) const;
  const Array& w_;
  const KernelTable& k_;
};

// b(l, j) = W(j, l): sums run along the rows of W, which lies plain.
class WeightRows final : public PanelSource {
 public:
  WeightRows(const Array& w, const KernelTable& k) : w_(w), k_(k) {}
  int64_t group() const override { return 1; }
  void fill(int64_t first, int64_t count, int64_t l0, int64_t n, float* to, float* spare) const override;

 private:
  const Array& w_;
  const KernelTable& k_;
};

}  // namespace motley::cpu
