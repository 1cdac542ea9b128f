// The register tiles of products: for how many rows there is code, and how many strips of 16 columns fit the registers beside them. Any
// number of rows is served by tiles of these sizes; which ones changes no bit of the result.
#pragma once
#include "backends/cpu/kernels/panel.h"

namespace motley::cpu::MOTLEY_ISA {

#if defined(__AVX512F__) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTileRows[] = {1, 2, 3, 4, 6};
constexpr int float_strips(int) { return kStrips; }               // 24 sums, 4 weights, an activation
constexpr int int_strips(int rows) { return rows <= 3 ? 4 : 2; }  // as many dots as sums
constexpr int kDirectRows = 4, kFewRows = 12;
#elif (defined(__AVX2__) || defined(__ARM_NEON)) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTileRows[] = {1, 2, 3, 4, 6};
constexpr int float_strips(int rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }
constexpr int int_strips(int rows) { return rows <= 2 ? 2 : 1; }
constexpr int kDirectRows = 1, kFewRows = 1;
#else
constexpr int kTileRows[] = {1, 2, 3};
constexpr int float_strips(int rows) { return rows == 1 ? 2 : 1; }
constexpr int int_strips(int) { return 1; }
constexpr int kDirectRows = 1, kFewRows = 1;
#endif
constexpr int kNumTileRows = sizeof kTileRows / sizeof *kTileRows;

}  // namespace motley::cpu::MOTLEY_ISA
