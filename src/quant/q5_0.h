// Q5_0: 32 whole numbers of 5 bits and a 16-bit float scale; 5.5 bits per element. Q4_0 with one bit more.
//
//   x = d * (q - 16),   q in 0..31
//
// Packing: d = m / -16 where m is the x of the largest magnitude; q = floor(x / d + 16.5), ties up in q, at most 31. The error is at most
// |d| / 2 (|d| where x is close to -m) plus 2^-11 |x|; 0 is exact.
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ5_0 {
  uint16_t d;
  uint8_t high[4];  // bit j of these 32: the fifth bit of element j
  uint8_t q[16];    // byte j: four bits of elements j (low half) and j + 16
};
static_assert(sizeof(BlockQ5_0) == 22);

using LevelsQ5_0 = Levels<32, 32>;
void read_levels(const BlockQ5_0& b, LevelsQ5_0& levels);

void unpack_q5_0(const void* blocks, float* out, int64_t n);
void pack_q5_0(const float* x, void* blocks, int64_t n);
double dot_q5_0(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
