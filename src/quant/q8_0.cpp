#include "quant/q8_0.h"

#include "quant/round.h"
#include "tensor/half.h"

namespace motley {

void read_levels(const BlockQ8_0& b, LevelsQ8_0& levels) {
  levels.scale[0] = f16_to_float(b.d);
  levels.min[0] = 0;
  for (int j = 0; j < 32; ++j) levels.q[j] = b.q[j];
}

void unpack_q8_0(const void* blocks, float* out, int64_t n) { blocks::unpack<BlockQ8_0, LevelsQ8_0>(blocks, out, n); }
double dot_q8_0(const void* blocks, const ActivationRow& a, int64_t n) { return blocks::dot<BlockQ8_0, LevelsQ8_0>(blocks, a, n); }

void pack_q8_0(const float* x, void* blocks, int64_t n) {
  auto* block = static_cast<BlockQ8_0*>(blocks);
  for (int64_t i = 0; i < n; i += 32, ++block) {
    float v[32];
    clean<32>(x + i, v);
    float d = std::fabs(extreme_of<32>(v)) / 127.0f, by = inverse(d);
    block->d = float_to_f16(d);
    for (int j = 0; j < 32; ++j) block->q[j] = static_cast<int8_t>(round_half_away(v[j] * by));
  }
}

}  // namespace motley
