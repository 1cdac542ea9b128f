#include "quant/q2_k.h"

#include "quant/k_search.h"
#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ2_K& b, LevelsQ2_K& levels) {
  float d = f16_to_float(b.d), dmin = f16_to_float(b.dmin);
  for (int g = 0; g < 16; ++g) {
    levels.scale[g] = d * static_cast<float>(b.scales[g] & 15);
    levels.min[g] = dmin * static_cast<float>(b.scales[g] >> 4);
  }
  for (int h = 0; h < 2; ++h)
    for (int j = 0; j < 4; ++j)
      for (int l = 0; l < 32; ++l) levels.q[128 * h + 32 * j + l] = static_cast<int8_t>(b.q[32 * h + l] >> (2 * j) & 3);
}

void unpack_q2_k(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ2_K, LevelsQ2_K>(blocks, out, n); }
double dot_q2_k(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ2_K, LevelsQ2_K>(blocks, a, n); }

void pack_q2_k(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ2_K*>(blocks);
  for (int64_t i = 0; i < n; i += 256, ++block) {
    float v[256];
    clean<256>(x + i, v);
    AffineBlock<16> found = search_affine<16>(v, 3, 15);
    block->d = found.d;
    block->dmin = found.dmin;
    for (int g = 0; g < 16; ++g) block->scales[g] = static_cast<uint8_t>(found.scale[g] | found.min[g] << 4);
    for (int h = 0; h < 2; ++h)
      for (int l = 0; l < 32; ++l) {
        const uint8_t* q = found.q + 128 * h + l;
        block->q[32 * h + l] = static_cast<uint8_t>(q[0] | q[32] << 2 | q[64] << 4 | q[96] << 6);
      }
  }
}

}  // namespace motley
