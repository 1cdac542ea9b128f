// Small steps that the packers of several formats share. The loops run over 8 lanes so that the order of float operations is fixed by the
// source and the compiler may still use vectors; packing gives the same bytes on every machine.
#pragma once
#include <cmath>
#include <cstdint>

namespace motley {

inline constexpr float kLargestHalf = 65504.0f;

// What packing takes in place of x: NaN is 0, magnitudes end at the largest 16-bit float.
template <int N>
void clean(const float* x, float* out) {
  for (int i = 0; i < N; ++i) {
    float v = x[i] == x[i] ? x[i] : 0.0f;
    v = v < kLargestHalf ? v : kLargestHalf;
    out[i] = v > -kLargestHalf ? v : -kLargestHalf;
  }
}

struct Range {
  float lowest, highest;
};

template <int N>
Range range_of(const float* x) {
  float low[8], high[8];
  for (int j = 0; j < 8; ++j) low[j] = high[j] = x[j];
  for (int i = 8; i < N; i += 8)
    for (int j = 0; j < 8; ++j) {
      low[j] = x[i + j] < low[j] ? x[i + j] : low[j];
      high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
    }
  Range r{low[0], high[0]};
  for (int j = 1; j < 8; ++j) {
    r.lowest = low[j] < r.lowest ? low[j] : r.lowest;
    r.highest = high[j] > r.highest ? high[j] : r.highest;
  }
  return r;
}

// The element of the largest magnitude with its sign; the first one where both signs have it.
template <int N>
float extreme_of(const float* x) {
  Range r = range_of<N>(x);
  if (r.highest != -r.lowest) return r.highest > -r.lowest ? r.highest : r.lowest;
  for (int i = 0; i < N; ++i)
    if (x[i] == r.highest || x[i] == r.lowest) return x[i];
  return 0.0f;
}

// 1 / scale, or 0 for a scale so small that the block counts as zero.
inline float inverse(float scale) { return std::fabs(scale) < 0x1p-126f ? 0.0f : 1.0f / scale; }

// The nearest whole number, ties away from zero. |v| < 2^31.
inline int32_t round_half_away(float v) {
  auto whole = static_cast<int32_t>(v);
  float rest = v - static_cast<float>(whole);  // exact
  return whole + (rest >= 0.5f) - (rest <= -0.5f);
}

// The nearest whole number as a float, ties to even, by adding and taking away 1.5 * 2^23. |v| < 2^22.
inline float round_half_even(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

}  // namespace motley
