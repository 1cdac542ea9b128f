#include "quant/q6_k.h"

#include "quant/k_search.h"
#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ6_K& b, LevelsQ6_K& levels) {
  float d = f16_to_float(b.d);
  for (int g = 0; g < 16; ++g) {
    levels.scale[g] = d * static_cast<float>(b.scales[g]);
    levels.min[g] = 0;
  }
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l) {
        int low = b.low[64 * h + 32 * (j % 2) + l] >> (j / 2 * 4) & 15, high = b.high[32 * h + l] >> (2 * j) & 3;
        levels.q[128 * h + 32 * j + l] = static_cast<int8_t>((low | high << 4) - 32);
      }
}

void unpack_q6_k(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ6_K, LevelsQ6_K>(blocks, out, n); }
double dot_q6_k(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ6_K, LevelsQ6_K>(blocks, a, n); }

void pack_q6_k(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ6_K*>(blocks);
  for (int64_t i = 0; i < n; i += 256, ++block) {
    float v[256];
    clean<256>(x + i, v);
    SymmetricBlock found = search_symmetric(v, 32, 128);
    block->d = found.d;
    for (int g = 0; g < 16; ++g) block->scales[g] = found.scale[g];
    for (int h = 0; h < 2; ++h) {
      int q[128];
      for (int l = 0; l < 128; ++l) q[l] = found.q[128 * h + l] + 32;
      for (int l = 0; l < 64; ++l) block->low[64 * h + l] = static_cast<uint8_t>((q[l] & 15) | (q[l + 64] & 15) << 4);
      for (int l = 0; l < 32; ++l)
        block->high[32 * h + l] = static_cast<uint8_t>(q[l] >> 4 | q[l + 32] >> 4 << 2 | q[l + 64] >> 4 << 4 | q[l + 96] >> 4 << 6);
    }
  }
}

}  // namespace motley
