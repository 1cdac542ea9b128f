// Products with block formats: int8 activations in blocks of 32 (quant/activation.h), weights in panels (panel.h). Per block an exact integer
// dot product, then one multiply-add of floats: sum += dot * (scale_w * scale_a), blocks in order, the halves of a 16-format in order,
// each followed by its minimum. That order is the same in all kernels here, so a row's bits do not depend on which one served it.
//
//   int_tile     one or a few rows, straight from the packed weights: bound by memory, which is read as one stream, front to back
//   stage        a panel's blocks as plain bytes and float scales, once for all rows of a step
//   staged_tile  some rows x one staged panel, in cache
#include "backends/cpu/kernels/blocks.h"
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/tiles.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

MOTLEY_INLINE F accumulate(F sum, I dot, F w_scale, float a_scale) { return fma(to_float(dot), mul(w_scale, set(a_scale)), sum); }
MOTLEY_INLINE F take_min(F sum, F min, float a_scale, int32_t a_sum) { return fnma(min, set(a_scale * static_cast<float>(a_sum)), sum); }

// The dots of some rows with one half of 32 elements; they come started at minus the bias. A chain of eight would be waited for, so there are
// two for each row, one of them from zero; the sum of integers is the same.
template <class Blk, int kRows, int kHalf, int g = 0>
MOTLEY_INLINE void half_dots(I (*dot)[2], const B* low, const B* high, const int8_t* a) {
  constexpr int kCount = 8 / Blk::kHalves, kAt = kHalf * kCount + g, kChain = g / (kCount / 2);
  B w = Blk::template vector<kAt>(low, high);
  for (int r = 0; r < kRows; ++r) dot[r][kChain] = Blk::dot_of(dot[r][kChain], w, splat4(a + 4 * (kAt * kRows + r)));
  if constexpr (g + 1 < kCount) half_dots<Blk, kRows, kHalf, g + 1>(dot, low, high, a);
}

// The activations of 32 elements of some rows.
template <int kRows>
struct Activations {
  const int8_t* a;
  const float* scale;
  const int32_t* sums;  // [2][rows]

  template <int kHalves>
  MOTLEY_INLINE int32_t sum(const Activations& x, int row, int half) {
    return kHalves == 1 ? x.sums[row] + x.sums[kRows + row] : x.sums[half * kRows + row];
  }
};

template <class Blk, int kRows, int kHalf>
MOTLEY_INLINE void add_half(F (*sum)[kStrips], int strip, const B* low, const B* high, const F* scale, const F* min, const Activations<kRows>& x) {
  I dot[kRows][2];
  int32_t all[kRows];
  for (int r = 0; r < kRows; ++r) {
    all[r] = Activations<kRows>::template sum<Blk::kHalves>(x, r, kHalf);
    dot[r][0] = set_int(-Blk::kBias * all[r]);
    dot[r][1] = set_int(0);
  }
  half_dots<Blk, kRows, kHalf>(dot, low, high, x.a);
  for (int r = 0; r < kRows; ++r) {
    sum[r][strip] = accumulate(sum[r][strip], add(dot[r][0], dot[r][1]), scale[kHalf], x.scale[r]);
    if constexpr (Blk::kSpec.has_min) sum[r][strip] = take_min(sum[r][strip], min[kHalf], x.scale[r], all[r]);
  }
}

template <int kFormat, int kRows>
void rows_times_panel(const IntTile& t) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  F sum[kRows][kStrips];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kStrips; ++i) sum[r][i] = t.first ? zero() : load(t.c + r * t.c_stride + kStripColumns * i);
  const uint8_t* w = t.w;
  Activations<kRows> x{t.a, t.a_scale, t.a_sum};
  for (int64_t b = 0; b < t.blocks; b += Blk::kParts) {
    typename Blk::Head h;
    Blk::ask_ahead(w, wide_bytes(s));
    Blk::read_head(w, h);
    w += head_bytes(s);
#pragma GCC unroll 1
    for (int i = 0; i < Blk::kParts; ++i) {
      const uint8_t* part = w;
      w += strips_at(s);
      for (int strip = 0; strip < kStrips; ++strip, w += strip_bytes(s)) {
        B low[Blk::kStored], high[2];
        Blk::load_stored(w, low, high);
        F scale[Blk::kHalves], min[Blk::kHalves];
        Blk::scales(h, part, strip, scale, min);
        add_half<Blk, kRows, 0>(sum, strip, low, high, scale, min, x);
        if constexpr (Blk::kHalves == 2) add_half<Blk, kRows, 1>(sum, strip, low, high, scale, min, x);
      }
      x = {x.a + 32 * kRows, x.scale + kRows, x.sums + 2 * kRows};
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kStrips; ++i) store(t.c + r * t.c_stride + kStripColumns * i, sum[r][i]);
}

template <int kFormat, int kRows = 1>
void int_tile(const IntTile& t) {
  if (t.rows == kRows) return rows_times_panel<kFormat, kRows>(t);
  if constexpr (kRows < kDirectRows) int_tile<kFormat, kRows + 1>(t);
}

template <int kFormat, int g = 0>
MOTLEY_INLINE void store_vectors(uint8_t* q, const B* low, const B* high) {
  store_bytes(q + 64 * g, Blocks<kFormat>::template vector<g>(low, high));
  if constexpr (g < 7) store_vectors<kFormat, g + 1>(q, low, high);
}

template <int kFormat>
void stage(const uint8_t* w, int64_t blocks, uint8_t* q, float* scale, float* min) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  for (int64_t b = 0; b < blocks; b += Blk::kParts) {
    Blk::ask_ahead(w, wide_bytes(s));
    typename Blk::Head h;
    Blk::read_head(w, h);
    w += head_bytes(s);
    for (int i = 0; i < Blk::kParts; ++i) {
      const uint8_t* part = w;
      w += strips_at(s);
      for (int strip = 0; strip < kStrips; ++strip, w += strip_bytes(s)) {
        if (q) {
          B low[Blk::kStored], high[2];
          Blk::load_stored(w, low, high);
          store_vectors<kFormat>(q + 512 * strip, low, high);
        }
        F sc[Blk::kHalves], mi[Blk::kHalves];
        Blk::scales(h, part, strip, sc, mi);
        for (int half = 0; half < Blk::kHalves; ++half) {
          store(scale + kPanelColumns * half + kStripColumns * strip, sc[half]);
          if constexpr (s.has_min) store(min + kPanelColumns * half + kStripColumns * strip, mi[half]);
        }
      }
      if (q) q += 512 * kStrips;
      scale += kPanelColumns * Blk::kHalves, min += kPanelColumns * Blk::kHalves;
    }
  }
}

// Weights as floats, for products whose activations stay f32.
template <int kFormat>
void stage_float(const uint8_t* w, int64_t blocks, float* out) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  alignas(64) uint8_t q[Blk::kParts * 512 * kStrips];
  alignas(64) float scale[Blk::kParts * Blk::kHalves * kPanelColumns], min[Blk::kParts * Blk::kHalves * kPanelColumns] = {};
  for (int64_t b = 0; b < blocks; b += Blk::kParts, w += wide_bytes(s)) {
    stage<kFormat>(w, Blk::kParts, q, scale, min);
    for (int k = 0; k < s.block; ++k) {
      int part = k / 32, at = kPanelColumns * (part * Blk::kHalves + (Blk::kHalves == 2 ? k % 32 / 16 : 0));
      for (int c = 0; c < kPanelColumns; ++c) {
        int value = q[512 * (part * kStrips + c / kStripColumns) + 64 * (k % 32 / 4) + 4 * (c % kStripColumns) + k % 4] - s.bias;
        *out++ = scale[at + c] * static_cast<float>(value) - min[at + c];
      }
    }
  }
}

template <int kFormat, int kRows, int kColumns>
void staged_strips(const StagedTile& t, int strip) {
  using Blk = Blocks<kFormat>;
  constexpr int kCount = 8 / Blk::kHalves;
  F sum[kRows][kColumns];
  float* c = t.c + kStripColumns * strip;
  for (int r = 0; r < kRows; ++r)
    for (int s = 0; s < kColumns; ++s) sum[r][s] = t.first ? zero() : load(c + r * t.c_stride + kStripColumns * s);
  Activations<kRows> x{t.a, t.a_scale, t.a_sum};
  const uint8_t* q = t.w.q + 512 * strip;
  const float *scale = t.w.scale + kStripColumns * strip, *min = t.w.min + kStripColumns * strip;
  for (int64_t b = 0; b < t.blocks; ++b, q += t.w.block_bytes) {
    for (int h = 0; h < Blk::kHalves; ++h, scale += kPanelColumns, min += kPanelColumns) {
      I dot[kRows][kColumns];
      for (int r = 0; r < kRows; ++r) {
        I start = set_int(-Blk::kBias * Activations<kRows>::template sum<Blk::kHalves>(x, r, h));
        for (int s = 0; s < kColumns; ++s) dot[r][s] = start;
      }
      for (int g = h * kCount; g < (h + 1) * kCount; ++g) {
        B w[kColumns];
        for (int s = 0; s < kColumns; ++s) w[s] = load_bytes(q + 512 * s + 64 * g);
        for (int r = 0; r < kRows; ++r) {
          B a = splat4(x.a + 4 * (g * kRows + r));
          for (int s = 0; s < kColumns; ++s) dot[r][s] = Blk::dot_of(dot[r][s], w[s], a);
        }
      }
      for (int s = 0; s < kColumns; ++s) {
        F w_scale = load(scale + kStripColumns * s);
        for (int r = 0; r < kRows; ++r) sum[r][s] = accumulate(sum[r][s], dot[r][s], w_scale, x.scale[r]);
        if constexpr (Blk::kSpec.has_min) {
          F w_min = load(min + kStripColumns * s);
          for (int r = 0; r < kRows; ++r) sum[r][s] = take_min(sum[r][s], w_min, x.scale[r], Activations<kRows>::template sum<Blk::kHalves>(x, r, h));
        }
      }
    }
    x = {x.a + 32 * kRows, x.scale + kRows, x.sums + 2 * kRows};
  }
  for (int r = 0; r < kRows; ++r)
    for (int s = 0; s < kColumns; ++s) store(c + r * t.c_stride + kStripColumns * s, sum[r][s]);
}

template <int kFormat, int kIndex = 0>
void staged_tile(const StagedTile& t) {
  constexpr int kRows = kTileRows[kIndex], kColumns = int_strips(kRows);
  if (t.rows == kRows) {
    for (int strip = 0; strip < kStrips; strip += kColumns) staged_strips<kFormat, kRows, kColumns>(t, strip);
    return;
  }
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
  t.direct_rows = kDirectRows;
  t.few_rows = kFewRows;
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
