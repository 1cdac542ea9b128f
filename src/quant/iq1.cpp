#include "quant/iq1.h"

#include "quant/from_levels.h"
#include "quant/iq_grids.h"
#include "quant/iq_rows.h"
#include "tensor/half.h"

namespace motley {
namespace {

// Eighths, moved up and moved down; no row has the fourth level.
constexpr int8_t kUp[4] = {-7, 1, 9, 0}, kDown[4] = {-9, -1, 7, 0};

// Levels, the group scales as whole numbers, and the common scale.
float read_iq1_m(const void* block, int8_t* q, int8_t* scales) {
  const auto& b = *static_cast<const BlockIq1M*>(block);
  int d = 0;
  for (int i = 0; i < 4; ++i) d |= b.scales[i] >> 12 << (4 * i);
  for (int g = 0; g < 16; ++g) scales[g] = static_cast<int8_t>(2 * (b.scales[g / 4] >> (3 * (g % 4)) & 7) + 1);
  for (int i = 0; i < 32; ++i) {
    const int high = b.high[i / 2] >> (4 * (i % 2));
    iq::row<8, 2>(kIq1S[b.rows[i] | (high & 7) << 8], (high & 8) != 0 ? kDown : kUp, 0, q + 8 * i);
  }
  return f16_to_float(static_cast<uint16_t>(d)) * 0.125f;
}

}  // namespace

void levels_iq1_s(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq1S*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    scale[g] = d * static_cast<float>(2 * (b.high[g] >> 12 & 7) + 1) * 0.125f;
    for (int i = 0; i < 4; ++i) {
      const int row = b.rows[4 * g + i] | (b.high[g] >> (3 * i) & 7) << 8;
      iq::row<8, 2>(kIq1S[row], (b.high[g] & 0x8000) != 0 ? kDown : kUp, 0, q + 32 * g + 8 * i);
    }
  }
}

void levels_iq1_m(const void* block, int8_t* q, float* scale) {
  int8_t scales[16];
  const float d = read_iq1_m(block, q, scales);
  for (int g = 0; g < 16; ++g) scale[g] = d * static_cast<float>(scales[g]);
}

void keep_iq1_m(const void* block, void* q6_k) {
  int8_t q[256], scales[16];
  const float d = read_iq1_m(block, q, scales);
  write_q6_k(q, scales, d, q6_k);
}

}  // namespace motley
