// Q8_0: 32 whole numbers of 8 bits and a 16-bit float scale; 8.5 bits per element.
//
//   x = d * q,   q in -127..127 (a file may also hold -128)
//
// Packing: d = max |x| / 127, q = round(x / d), ties away from zero, by the scale before it is rounded to 16 bits. The error is at most
// d / 2 plus 2^-11 |x|; 0 is exact; packing what was unpacked gives the same bytes (unless d is below the 16-bit floats).
#pragma once
#include <cstdint>

#include "quant/levels.h"

namespace motley {

struct BlockQ8_0 {
  uint16_t d;  // 16-bit float, as every d here
  int8_t q[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

using LevelsQ8_0 = Levels<32, 32>;
void read_levels(const BlockQ8_0& b, LevelsQ8_0& levels);

void unpack_q8_0(const void* blocks, float* out, int64_t n);
void pack_q8_0(const float* x, void* blocks, int64_t n);
double dot_q8_0(const void* blocks, const ActivationRow& a, int64_t n);

}  // namespace motley
