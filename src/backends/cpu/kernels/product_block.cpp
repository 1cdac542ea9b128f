// Products with block formats: int8 activations in blocks of 32 (quant/activation.h), weights in panels (panel.h). Per block an exact integer
// dot product, then one multiply-add of floats: sum += dot * (scale_w * scale_a), blocks in order, the halves of a 16-format in order,
// each followed by its minimum. That order is the same in all kernels here, so a row's bits do not depend on which one served it.
//
//   int_tile     one row, straight from the packed weights: bound by memory, four panels at once as four streams. Left to the processor's own
//                prefetching: on a Zen 4 with 2 cores reading at 33 to 57 GB/s it reached 63 to 87 % (longer rows are better), prefetching
//                256 to 4096 bytes ahead in each stream took 10 to 25 % off, and one or two streams were no better.
//   stage        one panel's blocks as plain bytes and float scales, once for all rows of a step
//   staged_tile  some rows x one staged panel, in cache
#include "backends/cpu/kernels/blocks.h"
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/tiles.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

// The eight dots of one block, started at minus the bias.
template <class Blk, int kHalf, int g = 0>
MOTLEY_INLINE I half_dot(I acc, const B* low, const B* high, const int8_t* a, int64_t a_step) {
  constexpr int kCount = 8 / Blk::kHalves, kAt = kHalf * kCount + g;
  acc = Blk::dot_of(acc, Blk::template vector<kAt>(low, high), splat4(a + kAt * a_step));
  if constexpr (g + 1 < kCount) acc = half_dot<Blk, kHalf, g + 1>(acc, low, high, a, a_step);
  return acc;
}

MOTLEY_INLINE F accumulate(F sum, I dot, F w_scale, float a_scale) { return fma(to_float(dot), mul(w_scale, set(a_scale)), sum); }
MOTLEY_INLINE F take_min(F sum, F min, float a_scale, int32_t a_sum) { return fnma(min, set(a_scale * static_cast<float>(a_sum)), sum); }

template <int kFormat, int kPanels>
void row_times_panels(const IntTile& t, int panel) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  F sum[kPanels];
  Panel w[kPanels];
  for (int p = 0; p < kPanels; ++p) {
    sum[p] = t.first ? zero() : load(t.c + kPanelColumns * (panel + p));
    int64_t at = (panel + p) * t.w_stride;
    w[p] = {t.w.low + at, t.w.high + at, t.w.scale + at};
  }
  for (int64_t b = 0; b < t.blocks; ++b) {
    const int8_t* a = t.a + 32 * b;
    float a_scale = t.a_scale[b];
    int32_t a_sum[2] = {t.a_sum[2 * b], t.a_sum[2 * b + 1]};
    if (Blk::kHalves == 1) a_sum[0] += a_sum[1];
    for (int p = 0; p < kPanels; ++p) {
      B low[Blk::kStored], high[2];
      Blk::load_stored(w[p], b, low, high);
      F scale[Blk::kHalves], min[Blk::kHalves];
      Blk::scales(w[p], b, scale, min);
      I dot = half_dot<Blk, 0>(set_int(-Blk::kBias * a_sum[0]), low, high, a, 4);
      sum[p] = accumulate(sum[p], dot, scale[0], a_scale);
      if constexpr (s.has_min) sum[p] = take_min(sum[p], min[0], a_scale, a_sum[0]);
      if constexpr (Blk::kHalves == 2) {
        dot = half_dot<Blk, 1>(set_int(-Blk::kBias * a_sum[1]), low, high, a, 4);
        sum[p] = accumulate(sum[p], dot, scale[1], a_scale);
        if constexpr (s.has_min) sum[p] = take_min(sum[p], min[1], a_scale, a_sum[1]);
      }
    }
  }
  for (int p = 0; p < kPanels; ++p) store(t.c + kPanelColumns * (panel + p), sum[p]);
}

template <int kFormat>
void int_tile(const IntTile& t) {
  int panel = 0;
  for (; panel + kStreams <= t.panels; panel += kStreams) row_times_panels<kFormat, kStreams>(t, panel);
  for (; kStreams > 1 && panel < t.panels; ++panel) row_times_panels<kFormat, 1>(t, panel);
}

template <int kFormat, int g = 0>
MOTLEY_INLINE void store_vectors(uint8_t* q, const B* low, const B* high) {
  store_bytes(q + 64 * g, Blocks<kFormat>::template vector<g>(low, high));
  if constexpr (g < 7) store_vectors<kFormat, g + 1>(q, low, high);
}

template <int kFormat>
void stage(const Panel& w, int64_t blocks, uint8_t* q, float* scale, float* min) {
  using Blk = Blocks<kFormat>;
  for (int64_t b = 0; b < blocks; ++b) {
    if (q) {
      B low[Blk::kStored], high[2];
      Blk::load_stored(w, b, low, high);
      store_vectors<kFormat>(q + 512 * b, low, high);
    }
    F s[Blk::kHalves], m[Blk::kHalves];
    Blk::scales(w, b, s, m);
    for (int h = 0; h < Blk::kHalves; ++h) {
      store(scale + kPanelColumns * (b * Blk::kHalves + h), s[h]);
      if constexpr (Blk::kSpec.has_min) store(min + kPanelColumns * (b * Blk::kHalves + h), m[h]);
    }
  }
}

// Weights as floats, for products whose activations stay f32.
template <int kFormat>
void stage_float(const Panel& w, int64_t blocks, float* out) {
  using Blk = Blocks<kFormat>;
  for (int64_t b = 0; b < blocks; ++b) {
    alignas(64) uint8_t q[512];
    alignas(64) float scale[2 * kPanelColumns], min[2 * kPanelColumns] = {};
    Panel at = {w.low + b * low_bytes(Blk::kSpec), w.high + b * high_bytes(Blk::kSpec), w.scale};
    B low[Blk::kStored], high[2];
    Blk::load_stored(at, 0, low, high);
    store_vectors<kFormat>(q, low, high);
    F s[Blk::kHalves], m[Blk::kHalves];
    Blk::scales(w, b, s, m);
    for (int h = 0; h < Blk::kHalves; ++h) {
      store(scale + kPanelColumns * h, s[h]);
      if constexpr (Blk::kSpec.has_min) store(min + kPanelColumns * h, m[h]);
    }
    for (int k = 0; k < 32; ++k) {
      int h = Blk::kHalves == 2 ? k / 16 : 0;
      for (int c = 0; c < kPanelColumns; ++c) {
        int value = q[64 * (k / 4) + 4 * c + k % 4] - Blk::kSpec.bias;
        out[(32 * b + k) * kPanelColumns + c] = scale[kPanelColumns * h + c] * static_cast<float>(value) - min[kPanelColumns * h + c];
      }
    }
  }
}

template <int kFormat, int kRows>
void staged_rows(const StagedTile& t) {
  using Blk = Blocks<kFormat>;
  constexpr int kCount = 8 / Blk::kHalves;
  F sum[kRows];
  for (int r = 0; r < kRows; ++r) sum[r] = t.first ? zero() : load(t.c + r * t.c_stride);
  const int8_t* a = t.a;
  const uint8_t* q = t.w.q;
  for (int64_t b = 0; b < t.blocks; ++b) {
    const float* a_scale = t.a_scale + b * kRows;
    const int32_t* a_sum = t.a_sum + b * 2 * kRows;
    for (int h = 0; h < Blk::kHalves; ++h) {
      I dot[kRows];
      for (int r = 0; r < kRows; ++r) {
        int32_t all = Blk::kHalves == 1 ? a_sum[r] + a_sum[kRows + r] : a_sum[h * kRows + r];
        dot[r] = set_int(-Blk::kBias * all);
      }
      for (int g = 0; g < kCount; ++g, q += 64, a += 4 * kRows) {
        B w = load_bytes(q);
        for (int r = 0; r < kRows; ++r) dot[r] = Blk::dot_of(dot[r], w, splat4(a + 4 * r));
      }
      F scale = load(t.w.scale + kPanelColumns * (b * Blk::kHalves + h));
      for (int r = 0; r < kRows; ++r) sum[r] = accumulate(sum[r], dot[r], scale, a_scale[r]);
      if constexpr (Blk::kSpec.has_min) {
        F min = load(t.w.min + kPanelColumns * (b * Blk::kHalves + h));
        for (int r = 0; r < kRows; ++r) {
          int32_t all = Blk::kHalves == 1 ? a_sum[r] + a_sum[kRows + r] : a_sum[h * kRows + r];
          sum[r] = take_min(sum[r], min, a_scale[r], all);
        }
      }
    }
  }
  for (int r = 0; r < kRows; ++r) store(t.c + r * t.c_stride, sum[r]);
}

template <int kFormat, int kIndex = 0>
void staged_tile(const StagedTile& t) {
  if (t.rows == kTileRows[kIndex]) return staged_rows<kFormat, kTileRows[kIndex]>(t);
  if constexpr (kIndex + 1 < kNumTileRows) staged_tile<kFormat, kIndex + 1>(t);
}

void quantise(const float* const* x, int rows, int64_t k, int8_t* a, float* a_scale, int32_t* a_sum) {
  for (int r = 0; r < rows; ++r) {
    for (int64_t b = 0; b < k / 32; ++b) {
      const float* p = x[r] + 32 * b;
      F low = load(p), high = load(p + 16);
      // max() keeps its second operand where one is NaN, so NaN is looked for on its own: x - x is NaN for NaN and infinity.
      F peaks = max(abs(low), abs(high));
      F odd = add(sub(low, low), sub(high, high));
      float amax = reduce_max(peaks);
      int8_t q[32];
      int32_t sums[2] = {0, 0};
      float scale = 0;
      if (reduce_add(odd) != 0.0f) {
        scale = NAN;
        memset(q, 0, sizeof q);
      } else if (amax >= 0x1p-100f) {
        scale = amax * (1.0f / 127.0f);
        F inverse = set(127.0f / amax);
        I a0 = to_int(mul(low, inverse)), a1 = to_int(mul(high, inverse));
        store_bytes_of(q, a0);
        store_bytes_of(q + 16, a1);
        sums[0] = reduce_add_int(a0);
        sums[1] = reduce_add_int(a1);
      } else {
        memset(q, 0, sizeof q);
      }
      for (int g = 0; g < 8; ++g) memcpy(a + ((b * 8 + g) * rows + r) * 4, q + 4 * g, 4);
      a_scale[b * rows + r] = scale;
      a_sum[(2 * b) * rows + r] = sums[0];
      a_sum[(2 * b + 1) * rows + r] = sums[1];
    }
  }
}

template <int kFormat = 0>
void fill_formats(KernelTable& t) {
  t.int_tile[kFormat] = int_tile<kFormat>;
  t.stage[kFormat] = stage<kFormat>;
  t.stage_float[kFormat] = stage_float<kFormat>;
  if constexpr (kFormat + 1 < kNumBlockFormats) fill_formats<kFormat + 1>(t);
}

}  // namespace

void fill_block_products(KernelTable& t) {
  t.quantise = quantise;
  fill_formats(t);
  // Formats that compute alike share the code: the staged form differs in halves, minimum and bias only.
  t.staged_tile[kQ8_0] = staged_tile<kQ8_0>;
  t.staged_tile[kQ4_0] = staged_tile<kQ4_0>;
  t.staged_tile[kQ5_0] = staged_tile<kQ5_0>;
  t.staged_tile[kQ4_1] = t.staged_tile[kQ5_1] = t.staged_tile[kQ4_K] = t.staged_tile[kQ5_K] = staged_tile<kQ4_1>;
  t.staged_tile[kQ2_K] = staged_tile<kQ2_K>;
  t.staged_tile[kQ3_K] = staged_tile<kQ3_K>;
  t.staged_tile[kQ6_K] = staged_tile<kQ6_K>;
}

}  // namespace motley::cpu::MOTLEY_ISA
