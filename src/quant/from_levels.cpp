#include "quant/from_levels.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "quant/q4_0.h"
#include "quant/q5_0.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/round.h"
#include "tensor/half.h"

namespace motley {
namespace {

uint16_t half_scale(float scale) {
  if (std::fabs(scale) > kLargestHalf) return float_to_f16(std::copysign(kLargestHalf, scale));
  return float_to_f16(scale);
}

}  // namespace

void write_q8_0(const int8_t* q, float scale, void* block) {
  auto* b = static_cast<BlockQ8_0*>(block);
  b->d = half_scale(scale);
  std::memcpy(b->q, q, sizeof b->q);
}

void write_q5_0(const int8_t* q, float scale, void* block) {
  auto* b = static_cast<BlockQ5_0*>(block);
  b->d = half_scale(scale);
  std::memset(b->high, 0, sizeof b->high);
  for (int j = 0; j < 16; ++j) b->q[j] = static_cast<uint8_t>(((q[j] + 16) & 15) | ((q[j + 16] + 16) & 15) << 4);
  for (int j = 0; j < 32; ++j) b->high[j / 8] = static_cast<uint8_t>(b->high[j / 8] | ((q[j] + 16) >> 4) << (j % 8));
}

void write_q4_0(const int8_t* q, float scale, void* block) {
  auto* b = static_cast<BlockQ4_0*>(block);
  b->d = half_scale(scale);
  for (int j = 0; j < 16; ++j) b->q[j] = static_cast<uint8_t>(((q[j] + 8) & 15) | ((q[j + 16] + 8) & 15) << 4);
}

void write_q6_k(const int8_t* q, const int8_t* scales, float scale, void* block) {
  auto* b = static_cast<BlockQ6_K*>(block);
  b->d = half_scale(scale);
  std::memcpy(b->scales, scales, sizeof b->scales);
  for (int h = 0; h < 2; ++h) {
    int level[128];
    for (int l = 0; l < 128; ++l) level[l] = q[128 * h + l] + 32;
    for (int l = 0; l < 64; ++l) b->low[64 * h + l] = static_cast<uint8_t>((level[l] & 15) | (level[l + 64] & 15) << 4);
    for (int l = 0; l < 32; ++l)
      b->high[32 * h + l] = static_cast<uint8_t>(level[l] >> 4 | level[l + 32] >> 4 << 2 | level[l + 64] >> 4 << 4 | level[l + 96] >> 4 << 6);
  }
}

WriteLevels level_writer(Dtype dtype) {
  switch (dtype) {
    case Dtype::q8_0:
      return write_q8_0;
    case Dtype::q5_0:
      return write_q5_0;
    case Dtype::q4_0:
      return write_q4_0;
    default:
      check(false, "levels go into q8_0, q5_0 and q4_0");
      return nullptr;
  }
}

}  // namespace motley
