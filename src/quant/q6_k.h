// Q6_K: 256 whole numbers of 6 bits in groups of 16, each group with a scale of 8 bits, and a 16-bit float for all; 6.5625 bits per element.
//
//   x = d * scale[g] * (q - 32),   q in 0..63, scale in -128..127, g = element / 16
//
// Packing searches for the smallest squared error (quant/k_search.h). 0 is exact. Where all |x| are below 0.25, as in most weights, d is
// a subnormal 16-bit float with few bits (7 at |x| = 0.02); the group scales then make up for what d misses.
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ6_K {
  uint8_t low[128];  // four bits of elements 128 h + l (low half) and 128 h + 64 + l in byte 64 h + l, l in 0..63
  uint8_t high[64];  // two bits of element 128 h + 32 j + l in bits 2 j, 2 j + 1 of byte 32 h + l
  int8_t scales[16];
  uint16_t d;
};
static_assert(sizeof(BlockQ6_K) == 210);

using LevelsQ6_K = Levels<256, 16>;
void read_levels(const BlockQ6_K& b, LevelsQ6_K& levels);

void unpack_q6_k(const void* blocks, float* out, int64_t n);
void pack_q6_k(const float* x, void* blocks, int64_t n);
double dot_q6_k(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
