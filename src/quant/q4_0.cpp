#include "quant/q4_0.h"

#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ4_0& b, LevelsQ4_0& levels) {
  levels.scale[0] = f16_to_float(b.d);
  levels.min[0] = 0;
  for (int j = 0; j < 16; ++j) {
    levels.q[j] = static_cast<int8_t>((b.q[j] & 15) - 8);
    levels.q[j + 16] = static_cast<int8_t>((b.q[j] >> 4) - 8);
  }
}

void unpack_q4_0(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ4_0, LevelsQ4_0>(blocks, out, n); }
double dot_q4_0(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ4_0, LevelsQ4_0>(blocks, a, n); }

void pack_q4_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_0*>(blocks);
  for (int64_t i = 0; i < n; i += 32, ++block) {
    float v[32];
    clean<32>(x + i, v);
    float d = extreme_of<32>(v) / -8.0f, by = inverse(d);
    block->d = float_to_f16(d);
    int32_t q[32];
    for (int j = 0; j < 32; ++j) {
      auto level = static_cast<int32_t>(v[j] * by + 8.5f);
      q[j] = level < 15 ? level : 15;
    }
    for (int j = 0; j < 16; ++j) block->q[j] = static_cast<uint8_t>(q[j] | q[j + 16] << 4);
  }
}

}  // namespace motley
