// Q2_K: 256 whole numbers of 2 bits in groups of 16, each group with a scale and a minimum of 4 bits, and two 16-bit floats for all;
// 2.625 bits per element.
//
//   x = d * scale[g] * q - dmin * min[g],   q in 0..3, scale and min in 0..15, g = element / 16
//
// Packing searches for the smallest squared error (quant/k_search.h).
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ2_K {
  uint8_t scales[16];  // per group: scale (low half), min
  uint8_t q[64];       // elements 128 h + 32 j + l in bits 2 j, 2 j + 1 of byte 32 h + l
  uint16_t d, dmin;
};
static_assert(sizeof(BlockQ2_K) == 84);

using LevelsQ2_K = Levels<256, 16>;
void read_levels(const BlockQ2_K& b, LevelsQ2_K& levels);

void unpack_q2_k(const void* blocks, float* out, int64_t n);
void pack_q2_k(const float* x, void* blocks, int64_t n);
double dot_q2_k(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
