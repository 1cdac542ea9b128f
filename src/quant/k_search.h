// Packing of the K formats: how 256 floats become whole numbers, whole scales of 16 or 32 of them, and one or two floats for the lot.
//
// Every level that is rounded interferes with the one below: an element's number depends on its group's scale, which is itself a small whole
// number times the block's. So the search goes down and up again. For each group alone the best real scale (and minimum) is found by trying
// slightly different grids and fitting each by least squares; these fix the block's floats; then each group chooses among the neighbouring
// whole scales the one with the smallest error, and the block's floats are fitted anew to all of it, as long as the error falls.
// The error is the plain sum of squares: nothing is known here about which elements matter more. Elements round to nearest, ties to even.
//
//   AffineBlock<32> block = search_affine<32>(x, 31, 63);    // Q5_K: q in 0..31, scales and minima in 0..63
//   // x[i] ~ d * scale[g] * q[i] - dmin * min[g]
#pragma once
#include <cstdint>

namespace motley {

template <int kGroup>
struct AffineBlock {
  uint16_t d = 0, dmin = 0;  // 16-bit floats, not negative
  uint8_t scale[256 / kGroup] = {}, min[256 / kGroup] = {};
  uint8_t q[256] = {};
};

// kGroup is 16 or 32. q in 0..top, scale and min in 0..scale_top. x is clean (quant/round.h).
template <int kGroup>
AffineBlock<kGroup> search_affine(const float* x, int top, int scale_top);

struct SymmetricBlock {
  uint16_t d = 0;  // 16-bit float of either sign
  int8_t scale[16] = {};
  int8_t q[256] = {};
};

// Groups of 16; q in -bottom..bottom-1, scale in -scale_bottom..scale_bottom-1. x[i] ~ d * scale[g] * q[i].
SymmetricBlock search_symmetric(const float* x, int bottom, int scale_bottom);

}  // namespace motley
