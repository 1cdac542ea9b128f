// Products of two float matrices wherever they lie, for learning: c = a b with each read by rows or by columns. Nothing is packed ahead, since
// what learns changes with every step.
//
//   gemm({.m = n, .n = k, .k = rows, .a = dy, .a_row = 1, .a_k = n, .b = x, .b_k = k, .b_column = 1, .c = dw, .c_row = k}, l.k, l.scratch, w);
//
// The order of a sum depends on k alone (kernels/product_float.cpp, closed at multiples of 256), as in the products with weights: the same
// numbers have the same bits there and here.
#pragma once
#include <cstdint>

#include "backends/cpu/epilogue.h"

namespace motley::cpu {

struct Gemm {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;  // a(i, l) is a[i * a_row + l * a_k]; one of the steps is 1
  int64_t a_row = 0, a_k = 0;
  const float* b = nullptr;  // b(l, j) is b[l * b_k + j * b_column]; one of the steps is 1
  int64_t b_k = 0, b_column = 0;
  float* c = nullptr;
  int64_t c_row = 0;
  bool add = false;                    // to what c holds
  const Epilogue* epilogue = nullptr;  // null: none. Otherwise c is where the sums are formed, and what is written is the epilogue's affair
};

int64_t gemm_scratch(int64_t m, int64_t n, int64_t k);          // bytes
int64_t gemm_scratch_at_most(int64_t m, int64_t n, int64_t k);  // of products that are no larger
// All workers call it with the same arguments; it ends without a barrier.
void gemm(const Gemm& g, const KernelTable& k, std::byte* scratch, Worker& w);

// Panels of b that are made as they are needed, from whatever b is stored as: b of the Gemm is not read.
class PanelSource {
 public:
  virtual ~PanelSource() = default;
  virtual int64_t group() const = 0;  // panels that are cheapest made together, at most kMaxGroup
  // Panels first .. first + count over k from l0 for n <= 256 of them: [panel][256][64], zeros where b ends. `spare` has kSpareFloats.
  virtual void fill(int64_t first, int64_t count, int64_t l0, int64_t n, float* to, float* spare) const = 0;

  static constexpr int64_t kMaxGroup = 4, kSpareFloats = 256 * 64;
};
void gemm(const Gemm& g, const PanelSource& b, const KernelTable& k, std::byte* scratch, Worker& w);  // scratch: at most (m, m, k)

// ---- its parts, for kernels that keep small matrices in a worker's memory
// f(first row, rows) for register tiles that cover 0 .. m.
template <class Function>
void for_register_tiles(const KernelTable& k, int64_t m, Function&& f) {
  int size = k.num_tile_rows - 1;
  for (int64_t begin = 0; begin < m; begin += k.tile_rows[size]) {
    while (k.tile_rows[size] > m - begin) --size;
    f(begin, k.tile_rows[size]);
  }
}
// Rows as register tiles, [tile][k][rows]; the tile that begins at row i lies at i * k.
void pack_tiles(const KernelTable& table, const float* a, int64_t a_row, int64_t a_k, int64_t m, int64_t k, float* to);
// Up to 64 columns as a panel [k][64], zeros behind them.
void pack_columns(const float* b, int64_t b_k, int64_t b_column, int64_t columns, int64_t k, float* to);
// c[m][64] = or += packed a times a panel.
void multiply_tiles(const KernelTable& table, const float* tiles, int64_t m, int64_t k, const float* panel, float* c, int64_t c_row, bool first);

}  // namespace motley::cpu
