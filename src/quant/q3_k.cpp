#include "quant/q3_k.h"

#include "quant/k_search.h"
#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ3_K& b, LevelsQ3_K& levels) {
  float d = f16_to_float(b.d);
  for (int g = 0; g < 16; ++g) {
    int low = g < 8 ? b.scales[g] & 15 : b.scales[g - 8] >> 4, high = b.scales[8 + g % 4] >> (g / 4 * 2) & 3;
    levels.scale[g] = d * static_cast<float>((low | high << 4) - 32);
    levels.min[g] = 0;
  }
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l) {
        int low = b.q[32 * h + l] >> (2 * j) & 3, high = b.high[l] >> (4 * h + j) & 1;
        levels.q[128 * h + 32 * j + l] = static_cast<int8_t>((low | high << 2) - 4);
      }
}

void unpack_q3_k(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ3_K, LevelsQ3_K>(blocks, out, n); }
double dot_q3_k(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ3_K, LevelsQ3_K>(blocks, a, n); }

void pack_q3_k(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ3_K*>(blocks);
  for (int64_t i = 0; i < n; i += 256, ++block) {
    float v[256];
    clean<256>(x + i, v);
    SymmetricBlock found = search_symmetric(v, 4, 32);
    *block = {};
    block->d = found.d;
    for (int g = 0; g < 16; ++g) {
      int scale = found.scale[g] + 32;
      block->scales[g % 8] = static_cast<uint8_t>(block->scales[g % 8] | (scale & 15) << (g / 8 * 4));
      block->scales[8 + g % 4] = static_cast<uint8_t>(block->scales[8 + g % 4] | (scale >> 4) << (g / 4 * 2));
    }
    for (int e = 0; e < 256; ++e) {
      int q = found.q[e] + 4, h = e / 128, j = e / 32 % 4, l = e % 32;
      block->q[32 * h + l] = static_cast<uint8_t>(block->q[32 * h + l] | (q & 3) << (2 * j));
      block->high[l] = static_cast<uint8_t>(block->high[l] | (q >> 2) << (4 * h + j));
    }
  }
}

}  // namespace motley
