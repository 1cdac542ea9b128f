// IQ1_S and IQ1_M: 256 elements in eights, each eight a row of a code book with levels -1, 0 and 1, all of it moved up or down by an eighth.
//
//   x = d * (2 scale[g] + 1) * (level +- 1/8)      scale of 3 bits, of 32 elements (IQ1_S) or 16 (IQ1_M)
//
// 1.56 and 1.75 bits per element. In eighths the levels are -9, -7, -1, 1, 7 and 9: q5_0 holds those of IQ1_S, and q6_k, which has a
// scale for every 16 elements too, those of IQ1_M.
#pragma once
#include <cstdint>

namespace motley {

struct BlockIq1S {
  uint16_t d;
  uint8_t rows[32];  // eight bits of each row
  uint16_t high[8];  // of 32 elements: three bits of each of the four rows, the scale, and the direction (set: down)
};
static_assert(sizeof(BlockIq1S) == 50);

struct BlockIq1M {
  uint8_t rows[32];
  uint8_t high[16];    // a half of a byte for each row: three bits of it, and the direction
  uint16_t scales[4];  // four scales each, and in the upper four bits a part of d
};
static_assert(sizeof(BlockIq1M) == 56);

void levels_iq1_s(const void* block, int8_t* q, float* scale);
void levels_iq1_m(const void* block, int8_t* q, float* scale);
void keep_iq1_m(const void* block, void* q6_k);

}  // namespace motley
