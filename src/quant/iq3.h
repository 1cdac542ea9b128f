// IQ3_XXS and IQ3_S: 256 elements in fours, each four a row of a code book with eight levels, and signs.
//
//   x = d * (2 scale[g] + 1) / 4 * level * sign    IQ3_XXS: levels 4, 12, 20, ... 52, 62; 3.06 bits per element
//   x = d * (2 scale[g] + 1) * level * sign        IQ3_S: levels 1, 3, 5, ... 15; 3.44 bits per element
//
// A scale of 4 bits counts for 32 elements. The levels of IQ3_S fit into q5_0.
#pragma once
#include <cstdint>

namespace motley {

struct BlockIq3Xxs {
  uint16_t d;
  uint8_t rows[64];
  uint16_t signs[8][2];  // as in IQ2_XXS
};
static_assert(sizeof(BlockIq3Xxs) == 98);

struct BlockIq3S {
  uint16_t d;
  uint8_t rows[64];      // eight bits of each row
  uint8_t rows_high[8];  // bit j of byte i: the ninth bit of row 8 i + j
  uint8_t signs[32];     // bit j of byte i: element 8 i + j is negative
  uint8_t scales[4];     // groups 2 i (low half) and 2 i + 1
};
static_assert(sizeof(BlockIq3S) == 110);

void levels_iq3_xxs(const void* block, int8_t* q, float* scale);
void levels_iq3_s(const void* block, int8_t* q, float* scale);

}  // namespace motley
