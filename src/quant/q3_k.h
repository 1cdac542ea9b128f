// Q3_K: 256 whole numbers of 3 bits in groups of 16, each group with a scale of 6 bits, and a 16-bit float for all; 3.4375 bits per element.
//
//   x = d * (scale[g] - 32) * (q - 4),   q in 0..7, scale in 0..63, g = element / 16
//
// Packing searches for the smallest squared error (quant/k_search.h). 0 is exact.
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ3_K {
  uint8_t high[32];    // the third bit of element 32 k + l in bit k of byte l
  uint8_t q[64];       // two bits of elements 128 h + 32 j + l in bits 2 j, 2 j + 1 of byte 32 h + l
  uint8_t scales[12];  // low halves of scales 0..7, high halves: scales 8..15 (four low bits); then two high bits of scale 4 k + j in bits
                       // 2 k, 2 k + 1 of byte 8 + j
  uint16_t d;
};
static_assert(sizeof(BlockQ3_K) == 110);

using LevelsQ3_K = Levels<256, 16>;
void read_levels(const BlockQ3_K& b, LevelsQ3_K& levels);

void unpack_q3_k(const void* blocks, float* out, int64_t n);
void pack_q3_k(const float* x, void* blocks, int64_t n);
double dot_q3_k(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
