// What a block of a quantised format means, free of how its bits are stored: whole numbers q in groups, each group with a scale and a minimum,
//
//   x = scale * q - min          (float; scale and min are exact products of the block's stored numbers)
//
// The reference product, the unpacking to floats and a backend that arranges weights its own way all read a block through its levels.
// Formats without a minimum have min = 0. A group has 16 or 32 elements.
#pragma once
#include <cstdint>

#include "quant/activation_row.h"

namespace motley {

template <int kElements_, int kGroup_>
struct Levels {
  static constexpr int kElements = kElements_, kGroup = kGroup_, kGroups = kElements_ / kGroup_;
  int8_t q[kElements];
  float scale[kGroups], min[kGroups];
};

// The bodies that all formats share. read_levels(const Block&, L&) is found beside the block's definition.
namespace blocks {

template <class Block, class L>
void unpack(const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const Block*>(blocks);
  for (int64_t i = 0; i < n; i += L::kElements, ++block) {
    L levels;
    read_levels(*block, levels);
    for (int g = 0; g < L::kGroups; ++g)
      for (int j = 0; j < L::kGroup; ++j)
        out[i + g * L::kGroup + j] = levels.scale[g] * static_cast<float>(levels.q[g * L::kGroup + j]) - levels.min[g];
  }
}

// sum over groups of scale * d * (q . a) - min * d * sum(a): the parentheses are exact integers, the rest is double.
template <class Block, class L>
double dot(const void* blocks, const ActivationRow& a, int64_t n) {
  const auto* block = static_cast<const Block*>(blocks);
  double y = 0;
  for (int64_t i = 0; i < n; i += L::kElements, ++block) {
    L levels;
    read_levels(*block, levels);
    for (int g = 0; g < L::kGroups; ++g) {
      int64_t at = i + g * L::kGroup;
      int32_t product = 0, sum = 0;
      for (int j = 0; j < L::kGroup; ++j) product += levels.q[g * L::kGroup + j] * a.values[at + j];
      for (int s = 0; s < L::kGroup / 16; ++s) sum += a.sums[at / 16 + s];
      double d = a.scales[at / 32];
      y += d * (static_cast<double>(levels.scale[g]) * product - static_cast<double>(levels.min[g]) * sum);
    }
  }
  return y;
}

}  // namespace blocks
}  // namespace motley
