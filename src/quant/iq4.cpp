#include "quant/iq4.h"

#include "tensor/half.h"

namespace motley {
namespace {

constexpr int8_t kLevels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

void read_levels(const uint8_t* from, int8_t* q) {
  for (int j = 0; j < 16; ++j) q[j] = kLevels[from[j] & 15], q[j + 16] = kLevels[from[j] >> 4];
}

}  // namespace

void levels_iq4_nl(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq4Nl*>(block);
  scale[0] = f16_to_float(b.d);
  read_levels(b.q, q);
}

void levels_iq4_xs(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockIq4Xs*>(block);
  const float d = f16_to_float(b.d);
  for (int g = 0; g < 8; ++g) {
    const int low = b.scales_low[g / 2] >> (4 * (g % 2)) & 15, high = b.scales_high >> (2 * g) & 3;
    scale[g] = d * static_cast<float>((low | high << 4) - 32);
    read_levels(b.q + 16 * g, q + 32 * g);
  }
}

}  // namespace motley
