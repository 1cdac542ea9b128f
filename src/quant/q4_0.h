// Q4_0: 32 whole numbers of 4 bits and a 16-bit float scale; 4.5 bits per element.
//
//   x = d * (q - 8),   q in 0..15
//
// Packing: d = m / -8 where m is the x of the largest magnitude, so that m itself is met by q = 0 (the side with one level more);
// q = floor(x / d + 8.5), ties up in q, at most 15. The error is at most |d| / 2 (|d| where x is close to -m) plus 2^-11 |x|; 0 is exact;
// packing what was unpacked gives the same values.
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ4_0 {
  uint16_t d;
  uint8_t q[16];  // byte j: elements j (low half) and j + 16
};
static_assert(sizeof(BlockQ4_0) == 18);

using LevelsQ4_0 = Levels<32, 32>;
void read_levels(const BlockQ4_0& b, LevelsQ4_0& levels);

void unpack_q4_0(const void* blocks, float* out, int64_t n);
void pack_q4_0(const float* x, void* blocks, int64_t n);
double dot_q4_0(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
