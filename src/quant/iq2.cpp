#include "quant/iq2.h"

#include "quant/iq_grids.h"
#include "quant/iq_rows.h"
#include "tensor/half.h"

namespace motley {
namespace {

constexpr int8_t kLevels[4] = {8, 25, 43, 0};  // no row has the fourth

float scale_of(float d, int scale) { return d * static_cast<float>(2 * scale + 1) * 0.125f; }

}  // namespace

void levels_iq2_xxs(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq2Xxs*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const uint32_t signs = b.group[g].signs[0] | static_cast<uint32_t>(b.group[g].signs[1]) << 16;
    scale[g] = scale_of(d, static_cast<int>(signs >> 28));
    for (int i = 0; i < 4; ++i) iq::row<8, 2>(kIq2Xxs[b.group[g].rows[i]], kLevels, iq::even_signs(signs >> (7 * i) & 127), q + 32 * g + 8 * i);
  }
}

void levels_iq2_xs(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq2Xs*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 16; ++g) scale[g] = scale_of(d, b.scales[g / 2] >> (4 * (g % 2)) & 15);
  for (int i = 0; i < 32; ++i) iq::row<8, 2>(kIq2Xs[b.rows[i] & 511], kLevels, iq::even_signs(b.rows[i] >> 9), q + 8 * i);
}

void levels_iq2_s(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq2S*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 16; ++g) scale[g] = scale_of(d, b.scales[g / 2] >> (4 * (g % 2)) & 15);
  for (int i = 0; i < 32; ++i) {
    const int high = b.rows_high[i / 4] >> (2 * (i % 4)) & 3;
    iq::row<8, 2>(kIq2S[b.rows[i] | high << 8], kLevels, b.signs[i], q + 8 * i);
  }
}

}  // namespace motley
