#include "quant/q4_k.h"

#include "quant/k_scales.h"
#include "quant/k_search.h"
#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ4_K& b, LevelsQ4_K& levels) {
  float d = f16_to_float(b.d), dmin = f16_to_float(b.dmin);
  uint8_t scale[8], min[8];
  read_k_scales(b.scales, scale, min);
  for (int g = 0; g < 8; ++g) {
    levels.scale[g] = d * static_cast<float>(scale[g]);
    levels.min[g] = dmin * static_cast<float>(min[g]);
  }
  for (int c = 0; c < 4; ++c)
    for (int l = 0; l < 32; ++l) {
      levels.q[64 * c + l] = static_cast<int8_t>(b.q[32 * c + l] & 15);
      levels.q[64 * c + 32 + l] = static_cast<int8_t>(b.q[32 * c + l] >> 4);
    }
}

void unpack_q4_k(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ4_K, LevelsQ4_K>(blocks, out, n); }
double dot_q4_k(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ4_K, LevelsQ4_K>(blocks, a, n); }

void pack_q4_k(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ4_K*>(blocks);
  for (int64_t i = 0; i < n; i += 256, ++block) {
    float v[256];
    clean<256>(x + i, v);
    AffineBlock<32> found = search_affine<32>(v, 15, 63);
    block->d = found.d;
    block->dmin = found.dmin;
    write_k_scales(found.scale, found.min, block->scales);
    for (int c = 0; c < 4; ++c)
      for (int l = 0; l < 32; ++l) block->q[32 * c + l] = static_cast<uint8_t>(found.q[64 * c + l] | found.q[64 * c + 32 + l] << 4);
  }
}

}  // namespace motley
