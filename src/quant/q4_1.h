// Q4_1: 32 whole numbers of 4 bits, a 16-bit float scale and a 16-bit float offset; 5 bits per element.
//
//   x = d * q + m,   q in 0..15
//
// Packing: m = min x, d = (max x - min x) / 15, q = floor((x - m) / d + 0.5), ties up. The error is at most d / 2 plus what rounding d and m
// to 16 bits moves. 0 is not exact in general.
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ4_1 {
  uint16_t d, m;
  uint8_t q[16];  // byte j: elements j (low half) and j + 16
};
static_assert(sizeof(BlockQ4_1) == 20);

using LevelsQ4_1 = Levels<32, 32>;
void read_levels(const BlockQ4_1& b, LevelsQ4_1& levels);

void unpack_q4_1(const void* blocks, float* out, int64_t n);
void pack_q4_1(const float* x, void* blocks, int64_t n);
double dot_q4_1(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
