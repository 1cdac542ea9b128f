#include "quant/iq3.h"

#include "quant/iq_grids.h"
#include "quant/iq_rows.h"
#include "tensor/half.h"

namespace motley {
namespace {

constexpr int8_t kXxsLevels[8] = {4, 12, 20, 28, 36, 44, 52, 62}, kSLevels[8] = {1, 3, 5, 7, 9, 11, 13, 15};

}  // namespace

void levels_iq3_xxs(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq3Xxs*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const uint32_t all = b.signs[g][0] | static_cast<uint32_t>(b.signs[g][1]) << 16;
    scale[g] = d * static_cast<float>(2 * static_cast<int>(all >> 28) + 1) * 0.25f;
    for (int i = 0; i < 4; ++i) {
      const unsigned signs = iq::even_signs(all >> (7 * i) & 127);
      for (int half = 0; half < 2; ++half)
        iq::row<4, 3>(kIq3Xxs[b.rows[8 * g + 2 * i + half]], kXxsLevels, signs >> (4 * half), q + 32 * g + 8 * i + 4 * half);
    }
  }
}

void levels_iq3_s(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq3S*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 8; ++g) scale[g] = d * static_cast<float>(2 * (b.scales[g / 2] >> (4 * (g % 2)) & 15) + 1);
  for (int i = 0; i < 64; ++i) {
    const int high = b.rows_high[i / 8] >> (i % 8) & 1;
    iq::row<4, 3>(kIq3S[b.rows[i] | high << 8], kSLevels, static_cast<unsigned>(b.signs[i / 2] >> (4 * (i % 2))), q + 4 * i);
  }
}

}  // namespace motley
