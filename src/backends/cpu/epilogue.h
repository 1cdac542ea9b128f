// What follows a product (FusedMatmul): done by each kernel of products to a block of its result while that is in cache.
//
//   const Epilogue epilogue = epilogue_of(launch);
//   ... form rows x n sums at z ...
//   epilogue.apply(launch.k, first_row, rows, first_column, n, z, z_row);
#pragma once
#include "backends/cpu/kernel.h"

namespace motley::cpu {

// Matrices are [rows, row] floats; null: left out.
struct Epilogue {
  Finish finish = Finish::none;
  float scale = 1;
  const float* bias = nullptr;  // [row]
  const float *slope_at = nullptr, *residual = nullptr;
  float *kept = nullptr, *out = nullptr;
  int64_t row = 0;

  // Of the rows and columns of the result that begin at (first, column), which lie at z.
  void apply(const KernelTable& k, int64_t first, int64_t rows, int64_t column, int64_t n, const float* z, int64_t z_row) const {
    const int64_t at = first * row + column;
    auto part = [&](auto* p) { return p ? p + at : nullptr; };
    k.finish[static_cast<size_t>(finish)]({.rows = rows,
                                           .n = n,
                                           .z = z,
                                           .z_row = z_row,
                                           .out = out + at,
                                           .row = row,
                                           .scale = scale,
                                           .bias = bias ? bias + column : nullptr,
                                           .slope_at = part(slope_at),
                                           .residual = part(residual),
                                           .kept = part(kept)});
  }
};

// Of a FusedMatmul's launch.
inline Epilogue epilogue_of(const Launch& l) {
  const auto& op = std::get<FusedMatmul>(l.op);
  size_t next = 2;
  Epilogue e{.finish = op.finish, .scale = op.scale};
  if (op.bias) e.bias = l.in[next++]->f32();
  if (op.slope) e.slope_at = l.in[next++]->f32();
  if (op.residual) e.residual = l.in[next++]->f32();
  if (op.keep) e.kept = l.out[0]->f32();
  e.out = l.out[op.keep ? 1 : 0]->f32();
  e.row = l.out[0]->dim(-1);
  return e;
}

}  // namespace motley::cpu
