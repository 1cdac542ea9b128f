// Q5_1: 32 whole numbers of 5 bits, a 16-bit float scale and a 16-bit float offset; 6 bits per element. Q4_1 with one bit more.
//
//   x = d * q + m,   q in 0..31
//
// Packing: m = min x, d = (max x - min x) / 31, q = floor((x - m) / d + 0.5), ties up. The error is at most d / 2 plus what rounding d and m
// to 16 bits moves. 0 is not exact in general.
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ5_1 {
  uint16_t d, m;
  uint8_t high[4];  // bit j of these 32: the fifth bit of element j
  uint8_t q[16];    // byte j: four bits of elements j (low half) and j + 16
};
static_assert(sizeof(BlockQ5_1) == 24);

using LevelsQ5_1 = Levels<32, 32>;
void read_levels(const BlockQ5_1& b, LevelsQ5_1& levels);

void unpack_q5_1(const void* blocks, float* out, int64_t n);
void pack_q5_1(const float* x, void* blocks, int64_t n);
double dot_q5_1(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
