// The register tiles of products: for how many rows there is code, and how many panels of 16 columns fit the registers beside them. Any
// number of rows is served by tiles of these sizes; which ones changes no bit of the result.
#pragma once

namespace motley::cpu::MOTLEY_ISA {

#if defined(__AVX512F__) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTileRows[] = {1, 2, 3, 4, 6, 8, 12};
constexpr int panels_for(int rows) { return rows <= 4 ? 4 : 2; }
constexpr int kStreams = 4;  // panels that one row reads at once
#elif (defined(__AVX2__) || defined(__ARM_NEON)) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTileRows[] = {1, 2, 3, 4, 6};
constexpr int panels_for(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }
constexpr int kStreams = 4;
#else
constexpr int kTileRows[] = {1, 2, 3};
constexpr int panels_for(int rows) { return rows == 1 ? 2 : 1; }
constexpr int kStreams = 1;
#endif
constexpr int kNumTileRows = sizeof kTileRows / sizeof *kTileRows;

}  // namespace motley::cpu::MOTLEY_ISA
