// Q4_K: 256 whole numbers of 4 bits in groups of 32, each group with a scale and a minimum of 6 bits, and two 16-bit floats for all;
// 4.5 bits per element.
//
//   x = d * scale[g] * q - dmin * min[g],   q in 0..15, scale and min in 0..63, g = element / 32
//
// Packing searches for the smallest squared error (quant/k_search.h).
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ4_K {
  uint16_t d, dmin;
  uint8_t scales[12];  // quant/k_scales.h
  uint8_t q[128];      // elements 64 c + l (low half) and 64 c + 32 + l in byte 32 c + l
};
static_assert(sizeof(BlockQ4_K) == 144);

using LevelsQ4_K = Levels<256, 32>;
void read_levels(const BlockQ4_K& b, LevelsQ4_K& levels);

void unpack_q4_k(const void* blocks, float* out, int64_t n);
void pack_q4_k(const float* x, void* blocks, int64_t n);
double dot_q4_k(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
