#include "quant/k_search.h"

#include <algorithm>
#include <cmath>

#include "quant/round.h"
#include "tensor/half.h"

namespace motley {
namespace {

// Sums over N elements in 8 lanes, added pairwise in the end: one order everywhere, and vectors where the machine has them.
template <int N, class Term>
float sum(Term term) {
  float lane[8] = {};
  for (int i = 0; i < N; i += 8)
    for (int j = 0; j < 8; ++j) lane[j] += term(i + j);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

inline float limit(float v, float low, float high) {
  v = v > low ? v : low;
  return v < high ? v : high;
}

// The whole number in low..high nearest to v; limiting first keeps v in the range where the trick of rounding works.
inline float nearest_level(float v, float low, float high) { return round_half_even(limit(v, low, high)); }

// 0, -0.1, 0.1, -0.2, 0.2 ...: how much finer or coarser than the plain grid to try. The plain one comes first and wins when nothing is
// better, so that a constant group gets a scale that is a power of two below it, not a third.
inline float around(int k) { return 0.1f * static_cast<float>(k % 2 ? -(k + 1) / 2 : k / 2); }

// --- scale and minimum ---------------------------------------------------------------------------------------------------------------

struct Line {  // x ~ scale * q - min
  float scale = 0, min = 0;
};

// The best line for one group alone, min >= 0. `top` is the largest q.
template <int N>
Line fit_line(const float* x, float top) {
  Range r = range_of<N>(x);
  float low = std::min(r.lowest, 0.0f), width = r.highest - low;
  if (inverse(width) == 0.0f) return {0.0f, -low};
  float y[N];  // x - low, not negative: no cancellation in the sums below
  for (int i = 0; i < N; ++i) y[i] = x[i] - low;
  double sum_y = sum<N>([&](int i) { return y[i]; });

  // Of all lines through the q of one grid, least squares gives the best; `gain` is how much smaller than sum(y^2) its error is.
  Line best{width / top, -low};
  double best_gain = -1;
  auto try_grid = [&](float steps_per_unit, float start) {
    float q[N];
    for (int i = 0; i < N; ++i) q[i] = nearest_level((y[i] - start) * steps_per_unit, 0.0f, top);
    double sq = sum<N>([&](int i) { return q[i]; }), sqq = sum<N>([&](int i) { return q[i] * q[i]; }),
           syq = sum<N>([&](int i) { return y[i] * q[i]; });
    double det = N * sqq - sq * sq;
    if (det <= 0) return false;
    double scale = (N * syq - sq * sum_y) / det, offset = (sqq * sum_y - sq * syq) / det;  // y ~ scale * q + offset
    if (offset + low > 0) {  // a minimum cannot be negative: the line through x = 0 at q = 0
      offset = -low;
      scale = (syq - offset * sq) / sqq;
    }
    if (!(scale > 0)) return false;
    double gain = 2 * (scale * syq + offset * sum_y) - (scale * scale * sqq + 2 * scale * offset * sq + N * offset * offset);
    if (gain <= best_gain) return false;
    best_gain = gain;
    best = {static_cast<float>(scale), static_cast<float>(-(offset + low))};
    return true;
  };
  for (int k = 0; k <= 20; ++k) try_grid((top + around(k)) / width, 0.0f);
  for (int round = 0; round < 4; ++round)  // the best line's own grid, while it leads to a better line
    if (!try_grid(1.0f / best.scale, -best.min - low)) break;
  return best;
}

// Rounds the elements of a group to the line; returns the sum of squared errors.
template <int N>
float round_to_line(const float* x, float scale, float min, float top, float* q) {
  float by = inverse(scale);
  for (int i = 0; i < N; ++i) q[i] = nearest_level((x[i] + min) * by, 0.0f, top);
  return sum<N>([&](int i) {
    float e = scale * q[i] - min - x[i];
    return e * e;
  });
}

// --- one scale -----------------------------------------------------------------------------------------------------------------------

// The best scale, of either sign, for one group alone. q in -bottom..bottom-1.
float fit_scale(const float* x, float bottom) {
  constexpr int N = 16;
  float extreme = extreme_of<N>(x), best = 0;
  if (inverse(extreme) == 0.0f) return 0;
  double best_gain = -1;
  auto try_grid = [&](float by) {
    float q[N];
    for (int i = 0; i < N; ++i) q[i] = nearest_level(x[i] * by, -bottom, bottom - 1);
    double sxq = sum<N>([&](int i) { return x[i] * q[i]; }), sqq = sum<N>([&](int i) { return q[i] * q[i]; });
    if (!(sqq > 0) || sxq * sxq <= best_gain * sqq) return;
    best_gain = sxq * sxq / sqq;
    best = static_cast<float>(sxq / sqq);
  };
  for (int k = 0; k <= 18; ++k) {
    try_grid(-(bottom + around(k)) / extreme);        // the extreme at the end with one level more
    try_grid((bottom - 1.0f + around(k)) / extreme);  // or at the other
  }
  return best;
}

float round_to_scale(const float* x, float scale, float bottom, float* q) {
  constexpr int N = 16;
  float by = inverse(scale);
  for (int i = 0; i < N; ++i) q[i] = nearest_level(x[i] * by, -bottom, bottom - 1);
  return sum<N>([&](int i) {
    float e = scale * q[i] - x[i];
    return e * e;
  });
}

constexpr int kRounds = 4;  // of choosing scales and fitting the block's floats; later ones gain less than 0.1 %

}  // namespace

template <int kGroup>
AffineBlock<kGroup> search_affine(const float* x, int top_level, int scale_top) {
  constexpr int kGroups = 256 / kGroup;
  const auto top = static_cast<float>(top_level), highest = static_cast<float>(scale_top);
  Line lines[kGroups];
  float d = 0, dmin = 0;
  for (int g = 0; g < kGroups; ++g) {
    lines[g] = fit_line<kGroup>(x + g * kGroup, top);
    d = std::max(d, lines[g].scale);
    dmin = std::max(dmin, lines[g].min);
  }
  d /= highest;
  dmin /= highest;

  AffineBlock<kGroup> best;
  double best_error = -1;
  float scales[kGroups], mins[kGroups], q[256];
  for (int round = 0; round < kRounds; ++round) {
    uint16_t d_bits = float_to_f16(d), dmin_bits = float_to_f16(dmin);
    d = f16_to_float(d_bits);
    dmin = f16_to_float(dmin_bits);
    float by_d = inverse(d), by_dmin = inverse(dmin);
    double error = 0;
    for (int g = 0; g < kGroups; ++g) {
      const float* xg = x + g * kGroup;
      float scale = nearest_level(lines[g].scale * by_d, 0, highest), min = nearest_level(lines[g].min * by_dmin, 0, highest), least = -1;
      for (float s = std::max(scale - 1, 0.0f); s <= std::min(scale + 1, highest); ++s)
        for (float m = std::max(min - 1, 0.0f); m <= std::min(min + 1, highest); ++m) {
          float trial[kGroup], e = round_to_line<kGroup>(xg, d * s, dmin * m, top, trial);
          if (least >= 0 && e >= least) continue;
          least = e;
          scales[g] = s;
          mins[g] = m;
          std::copy(trial, trial + kGroup, q + g * kGroup);
        }
      error += least;
    }
    if (best_error >= 0 && error >= best_error) break;
    best_error = error;
    best.d = d_bits;
    best.dmin = dmin_bits;
    for (int g = 0; g < kGroups; ++g) best.scale[g] = static_cast<uint8_t>(scales[g]), best.min[g] = static_cast<uint8_t>(mins[g]);
    for (int i = 0; i < 256; ++i) best.q[i] = static_cast<uint8_t>(q[i]);

    // x ~ d * a - dmin * b with a = scale * q, b = min: two unknowns, all 256 elements.
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int g = 0; g < kGroups; ++g) {
      const float *xg = x + g * kGroup, *qg = q + g * kGroup;
      double s = scales[g], m = mins[g], sq = sum<kGroup>([&](int i) { return qg[i]; }), sx = sum<kGroup>([&](int i) { return xg[i]; });
      aa += s * s * sum<kGroup>([&](int i) { return qg[i] * qg[i]; });
      ab += s * m * sq;
      bb += kGroup * m * m;
      xa += s * sum<kGroup>([&](int i) { return xg[i] * qg[i]; });
      xb += m * sx;
    }
    double det = aa * bb - ab * ab;
    if (det > 0) {
      d = static_cast<float>((xa * bb - xb * ab) / det);
      dmin = static_cast<float>((xa * ab - xb * aa) / det);
    } else if (aa > 0) {
      d = static_cast<float>(xa / aa);
    } else if (bb > 0) {
      dmin = static_cast<float>(-xb / bb);
    }
    if (!(d >= 0 && dmin >= 0)) break;
  }
  return best;
}

template AffineBlock<16> search_affine<16>(const float* x, int top_level, int scale_top);
template AffineBlock<32> search_affine<32>(const float* x, int top_level, int scale_top);

SymmetricBlock search_symmetric(const float* x, int bottom_level, int scale_bottom) {
  const auto bottom = static_cast<float>(bottom_level), lowest = -static_cast<float>(scale_bottom), highest = static_cast<float>(scale_bottom - 1);
  float lone[16];
  for (int g = 0; g < 16; ++g) lone[g] = fit_scale(x + g * 16, bottom);
  float d = extreme_of<16>(lone) / lowest;

  SymmetricBlock best;
  double best_error = -1;
  float scales[16], q[256];
  for (int round = 0; round < kRounds; ++round) {
    uint16_t d_bits = float_to_f16(d);
    d = f16_to_float(d_bits);
    float by_d = inverse(d);
    double error = 0, aa = 0, xa = 0;
    for (int g = 0; g < 16; ++g) {
      const float* xg = x + g * 16;
      float scale = nearest_level(lone[g] * by_d, lowest, highest), least = -1;
      for (float s = std::max(scale - 1, lowest); s <= std::min(scale + 1, highest); ++s) {
        float trial[16], e = round_to_scale(xg, d * s, bottom, trial);
        if (least >= 0 && e >= least) continue;
        least = e;
        scales[g] = s;
        std::copy(trial, trial + 16, q + g * 16);
      }
      error += least;
      double s = scales[g];
      aa += s * s * sum<16>([&](int i) { return q[g * 16 + i] * q[g * 16 + i]; });
      xa += s * sum<16>([&](int i) { return xg[i] * q[g * 16 + i]; });
    }
    if (best_error >= 0 && error >= best_error) break;
    best_error = error;
    best.d = d_bits;
    for (int g = 0; g < 16; ++g) best.scale[g] = static_cast<int8_t>(scales[g]);
    for (int i = 0; i < 256; ++i) best.q[i] = static_cast<int8_t>(q[i]);
    if (!(aa > 0)) break;
    d = static_cast<float>(xa / aa);
  }
  return best;
}

}  // namespace motley
