// IQ2_XXS, IQ2_XS and IQ2_S: 256 elements in eights, each eight a row of a code book with levels 8, 25 and 43, and signs.
//
//   x = d * (2 scale[g] + 1) / 8 * level * sign      scale of 4 bits, of 32 elements (XXS) or 16
//
// 2.06, 2.31 and 2.56 bits per element. In XXS and XS seven bits say the signs of eight elements: the last sign makes their number even.
#pragma once
#include <cstdint>

namespace motley {

struct BlockIq2Xxs {
  uint16_t d;
  struct {
    uint8_t rows[4];
    uint16_t signs[2];  // as one number of 32 bits: four times seven signs, and the scale in the upper four bits
  } group[8];
};
static_assert(sizeof(BlockIq2Xxs) == 66);

struct BlockIq2Xs {
  uint16_t d;
  uint16_t rows[32];  // nine bits of row, seven of signs
  uint8_t scales[8];  // groups 2 i (low half) and 2 i + 1
};
static_assert(sizeof(BlockIq2Xs) == 74);

struct BlockIq2S {
  uint16_t d;
  uint8_t rows[32];      // eight bits of each row
  uint8_t signs[32];     // bit j of byte i: element 8 i + j is negative
  uint8_t rows_high[8];  // two bits of rows 4 i .. 4 i + 3
  uint8_t scales[8];
};
static_assert(sizeof(BlockIq2S) == 82);

void levels_iq2_xxs(const void* block, int8_t* q, float* scale);
void levels_iq2_xs(const void* block, int8_t* q, float* scale);
void levels_iq2_s(const void* block, int8_t* q, float* scale);

}  // namespace motley
