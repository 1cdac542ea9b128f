// The register tiles of products: for how many rows of floats there is code, how many strips of 16 columns fit the registers beside them, and
// how many rows of bytes share the unpacked weights at a time. None of it changes a bit of the result.
#pragma once
#include "backends/cpu/kernels/table.h"

namespace motley::cpu::MOTLEY_ISA {

#if defined(__AVX512F__) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTileRows[] = {1, 2, 3, 4, 6};
constexpr int float_strips(int) { return kStrips; }  // 24 sums, 4 weights, an activation
constexpr int kDotRows = 4;
#elif (defined(__AVX2__) || defined(__ARM_NEON)) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTileRows[] = {1, 2, 3, 4, 6};
constexpr int float_strips(int rows) { return rows == 1 ? 4 : rows <= 3 ? 2 : 1; }
constexpr int kDotRows = 4;
#else
constexpr int kTileRows[] = {1, 2, 3};
constexpr int float_strips(int rows) { return rows == 1 ? 2 : 1; }
constexpr int kDotRows = 2;
#endif
constexpr int kNumTileRows = sizeof kTileRows / sizeof *kTileRows;
static_assert(kTileRows[kNumTileRows - 1] <= kMaxTileRows);

}  // namespace motley::cpu::MOTLEY_ISA
