// IQ4_NL and IQ4_XS: 4 bits choose one of 16 levels that lie denser around zero.
//
//   x = d * level[q]                    IQ4_NL: 32 elements and a 16-bit float; 4.5 bits per element
//   x = d * (scale[g] - 32) * level[q]  IQ4_XS: 256 elements in groups of 32, scales of 6 bits; 4.25 bits per element
#pragma once
#include <cstdint>

namespace motley {

struct BlockIq4Nl {
  uint16_t d;
  uint8_t q[16];  // byte j: elements j (low half) and j + 16
};
static_assert(sizeof(BlockIq4Nl) == 18);

struct BlockIq4Xs {
  uint16_t d;
  uint16_t scales_high;   // two bits of scale g from bit 2 g
  uint8_t scales_low[4];  // four bits of scales 2 i (low half) and 2 i + 1
  uint8_t q[128];         // 16 bytes for each group, as in IQ4_NL
};
static_assert(sizeof(BlockIq4Xs) == 136);

void levels_iq4_nl(const void* block, int8_t* q, float* scale);
void levels_iq4_xs(const void* block, int8_t* q, float* scale);

}  // namespace motley
