#include "quant/mxfp4.h"

#include <bit>

namespace motley {
namespace {

constexpr int8_t kLevels[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// 2^(e - 128); the two smallest are subnormal floats.
float power(uint8_t e) { return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<uint32_t>(e - 1) << 23); }

}  // namespace

void levels_mxfp4(const void* block, int8_t* q, float* scale) {
  const auto& b = *static_cast<const BlockMxfp4*>(block);
  scale[0] = power(b.e);
  for (int j = 0; j < 16; ++j) q[j] = kLevels[b.q[j] & 15], q[j + 16] = kLevels[b.q[j] >> 4];
}

}  // namespace motley
