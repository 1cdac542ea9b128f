// MXFP4: 32 floats of 4 bits (one of mantissa, two of exponent) and a power of two; 4.25 bits per element.
//
//   x = 2^(e - 128) * level[q],   level 0, 1, 2, 3, 4, 6, 8, 12 and their negatives: twice what the 4 bits mean
//
// The levels are whole numbers, so q5_0 holds them; its scale is exact from 2^-24 to 2^15.
#pragma once
#include <cstdint>

namespace motley {

struct BlockMxfp4 {
  uint8_t e;
  uint8_t q[16];  // byte j: elements j (low half) and j + 16
};
static_assert(sizeof(BlockMxfp4) == 17);

void levels_mxfp4(const void* block, int8_t* q, float* scale);

}  // namespace motley
