// Q5_K: 256 whole numbers of 5 bits in groups of 32, each group with a scale and a minimum of 6 bits, and two 16-bit floats for all;
// 5.5 bits per element. Q4_K with one bit more.
//
//   x = d * scale[g] * q - dmin * min[g],   q in 0..31, scale and min in 0..63, g = element / 32
//
// Packing searches for the smallest squared error (quant/k_search.h).
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ5_K {
  uint16_t d, dmin;
  uint8_t scales[12];  // quant/k_scales.h
  uint8_t high[32];    // the fifth bit of element 32 k + l in bit k of byte l
  uint8_t q[128];      // four bits of elements 64 c + l (low half) and 64 c + 32 + l in byte 32 c + l
};
static_assert(sizeof(BlockQ5_K) == 176);

using LevelsQ5_K = Levels<256, 32>;
void read_levels(const BlockQ5_K& b, LevelsQ5_K& levels);

void unpack_q5_k(const void* blocks, float* out, int64_t n);
void pack_q5_k(const float* x, void* blocks, int64_t n);
double dot_q5_k(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
