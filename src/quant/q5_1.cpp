#include "quant/q5_1.h"

#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ5_1& b, LevelsQ5_1& levels) {
  levels.scale[0] = f16_to_float(b.d);
  levels.min[0] = -f16_to_float(b.m);
  for (int j = 0; j < 16; ++j) {
    int low = b.high[j / 8] >> (j % 8) & 1, high = b.high[j / 8 + 2] >> (j % 8) & 1;
    levels.q[j] = static_cast<int8_t>((b.q[j] & 15) | low << 4);
    levels.q[j + 16] = static_cast<int8_t>((b.q[j] >> 4) | high << 4);
  }
}

void unpack_q5_1(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ5_1, LevelsQ5_1>(blocks, out, n); }
double dot_q5_1(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ5_1, LevelsQ5_1>(blocks, a, n); }

void pack_q5_1(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_1*>(blocks);
  for (int64_t i = 0; i < n; i += 32, ++block) {
    float v[32];
    clean<32>(x + i, v);
    Range r = range_of<32>(v);
    float d = (r.highest - r.lowest) / 31.0f, by = inverse(d);
    block->d = float_to_f16(d);
    block->m = float_to_f16(r.lowest);
    int32_t q[32];
    for (int j = 0; j < 32; ++j) {
      auto level = static_cast<int32_t>((v[j] - r.lowest) * by + 0.5f);
      q[j] = level < 31 ? level : 31;
    }
    for (int j = 0; j < 16; ++j) block->q[j] = static_cast<uint8_t>((q[j] & 15) | (q[j + 16] & 15) << 4);
    for (int k = 0; k < 4; ++k) {
      int bits = 0;
      for (int j = 0; j < 8; ++j) bits |= (q[8 * k + j] >> 4) << j;
      block->high[k] = static_cast<uint8_t>(bits);
    }
  }
}

}  // namespace motley
