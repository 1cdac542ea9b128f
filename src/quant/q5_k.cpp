#include "quant/q5_k.h"

#include "quant/k_scales.h"
#include "quant/k_search.h"
#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ5_K& b, LevelsQ5_K& levels) {
  float d = f16_to_float(b.d), dmin = f16_to_float(b.dmin);
  uint8_t scale[8], min[8];
  read_k_scales(b.scales, scale, min);
  for (int g = 0; g < 8; ++g) {
    levels.scale[g] = d * static_cast<float>(scale[g]);
    levels.min[g] = dmin * static_cast<float>(min[g]);
  }
  for (int c = 0; c < 4; ++c)
    for (int l = 0; l < 32; ++l) {
      levels.q[64 * c + l] = static_cast<int8_t>((b.q[32 * c + l] & 15) | (b.high[l] >> (2 * c) & 1) << 4);
      levels.q[64 * c + 32 + l] = static_cast<int8_t>((b.q[32 * c + l] >> 4) | (b.high[l] >> (2 * c + 1) & 1) << 4);
    }
}

void unpack_q5_k(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ5_K, LevelsQ5_K>(blocks, out, n); }
double dot_q5_k(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ5_K, LevelsQ5_K>(blocks, a, n); }

void pack_q5_k(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ5_K*>(blocks);
  for (int64_t i = 0; i < n; i += 256, ++block) {
    float v[256];
    clean<256>(x + i, v);
    AffineBlock<32> found = search_affine<32>(v, 31, 63);
    block->d = found.d;
    block->dmin = found.dmin;
    write_k_scales(found.scale, found.min, block->scales);
    for (int c = 0; c < 4; ++c)
      for (int l = 0; l < 32; ++l) block->q[32 * c + l] = static_cast<uint8_t>((found.q[64 * c + l] & 15) | (found.q[64 * c + 32 + l] & 15) << 4);
    for (int l = 0; l < 32; ++l) {
      int bits = 0;
      for (int k = 0; k < 8; ++k) bits |= found.q[32 * k + l] >> 4 << k;
      block->high[l] = static_cast<uint8_t>(bits);
    }
  }
}

}  // namespace motley
