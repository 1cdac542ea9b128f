// Products with block formats: int8 activations in blocks of 32 (quant/activation.h), weights in panels (panel.h). Per block an exact integer
// dot product, then one multiply-add of floats: sum += dot * (scale_w * scale_a), blocks in order, the halves of a 16-format in order,
// each followed by its minimum. That order is the same in both kernels here, so a row's bits do not depend on which one served it.
//
// Both read the packed weights front to back, as one stream. One row keeps its sums in registers and is bound by memory. Several rows keep
// 32 x 16 unpacked weights there, use them for every row, and have their sums in the first-level cache: of ten vector operations per row
// eight are multiply-adds of bytes.
#include "backends/cpu/kernels/blocks.h"
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/tiles.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

MOTLEY_INLINE F accumulate(F sum, I dot, F w_scale, float a_scale) { return fma(to_float(dot), mul(w_scale, set(a_scale)), sum); }

template <int kFormat, int g = 0>
MOTLEY_INLINE void unpack(B* w, const B* low, const B* high) {
  w[g] = Blocks<kFormat>::template vector<g>(low, high);
  if constexpr (g < 7) unpack<kFormat, g + 1>(w, low, high);
}

// Adds to dot[r] the product of row r (32 bytes from row to row) with weights begin .. end of w. The rows' chains hide each other's latency;
// a single one is given a second chain, as the sum of integers is the same.
template <class Blk, int kRows, int begin, int end>
MOTLEY_INLINE void add_dots(I* dot, const B* w, const int8_t* a) {
  if constexpr (kPairSums && !Blk::kWide) {
    constexpr int kMost = (1 << (Blk::kSpec.low_bits + Blk::kSpec.high_bits)) - 1;
    constexpr int kFit = 32767 / (2 * 127 * kMost) < end - begin ? 32767 / (2 * 127 * kMost) : end - begin;  // pairs that 16 bits can sum
    for (int r = 0; r < kRows; ++r) {
      for (int g = begin; g < end; g += kFit) {
        H sum = pair_sums(w[g], splat4(a + 32 * r + 4 * g));
        for (int i = g + 1; i < g + kFit && i < end; ++i) sum = add(sum, pair_sums(w[i], splat4(a + 32 * r + 4 * i)));
        dot[r] = add_pairs(dot[r], sum);
      }
    }
  } else if constexpr (kRows == 1) {
    I second = set_int(0);
    for (int g = begin; g < (begin + end) / 2; ++g) dot[0] = Blk::dot_of(dot[0], w[g], splat4(a + 4 * g));
    for (int g = (begin + end) / 2; g < end; ++g) second = Blk::dot_of(second, w[g], splat4(a + 4 * g));
    dot[0] = add(dot[0], second);
  } else {
    for (int g = begin; g < end; ++g)
      for (int r = 0; r < kRows; ++r) dot[r] = Blk::dot_of(dot[r], w[g], splat4(a + 32 * r + 4 * g));
  }
}

template <class Blk>
MOTLEY_INLINE int32_t sum_of(const int32_t* sums, int rows, int row, int half) {
  return Blk::kHalves == 1 ? sums[row] + sums[rows + row] : sums[half * rows + row];
}

template <class Blk, int kHalf>
MOTLEY_INLINE F add_half(F sum, const B* w, const F* scale, const F* min, const int8_t* a, float a_scale, const int32_t* sums) {
  constexpr int kCount = 8 / Blk::kHalves;
  int32_t all = sum_of<Blk>(sums, 1, 0, kHalf);
  I dot = set_int(-Blk::kBias * all);
  add_dots<Blk, 1, kHalf * kCount, (kHalf + 1) * kCount>(&dot, w, a);
  sum = accumulate(sum, dot, scale[kHalf], a_scale);
  if constexpr (Blk::kSpec.has_min) sum = fnma(min[kHalf], set(a_scale * static_cast<float>(all)), sum);
  return sum;
}

// One part of a panel for one row: 32 k of all strips. Returns where the next begins.
template <class Blk>
MOTLEY_INLINE const uint8_t* add_part(F* sum, const uint8_t* w, const typename Blk::Head& h, const int8_t* a, float a_scale, const int32_t* a_sum,
                                      int64_t ahead) {
  constexpr BlockSpec s = Blk::kSpec;
  Blk::ask_ahead(w, wide_bytes(s) / Blk::kParts, ahead);
  const uint8_t* part = w;
  w += strips_at(s);
#pragma GCC unroll 4
  for (int strip = 0; strip < kStrips; ++strip, w += strip_bytes(s)) {
    B low[Blk::kStored], high[2], v[8];
    Blk::load_stored(w, low, high);
    unpack<Blk::kIndex>(v, low, high);
    F scale[Blk::kHalves], min[Blk::kHalves];
    Blk::scales(h, part, strip, scale, min);
    sum[strip] = add_half<Blk, 0>(sum[strip], v, scale, min, a, a_scale, a_sum);
    if constexpr (Blk::kHalves == 2) sum[strip] = add_half<Blk, 1>(sum[strip], v, scale, min, a, a_scale, a_sum);
  }
  return w;
}

template <int kFormat>
void row_times_panel(const IntTile& t) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  F sum[kStrips];
  for (int i = 0; i < kStrips; ++i) sum[i] = t.first ? zero() : load(t.c + kStripColumns * i);
  const uint8_t* w = t.w;
  for (int64_t b = 0; b < t.blocks; b += Blk::kParts) {
    typename Blk::Head h;
    Blk::read_head(w, h);
    w += head_bytes(s);
#pragma GCC unroll 1
    for (int64_t i = b; i < b + Blk::kParts; ++i) w = add_part<Blk>(sum, w, h, t.a + 32 * i, t.a_scale[i], t.a_sum + 2 * i, t.ahead);
  }
  for (int i = 0; i < kStrips; ++i) store(t.c + kStripColumns * i, sum[i]);
}

// Two panels side by side, each a stream of its own; every sum is formed as if it were alone.
template <int kFormat>
void row_times_two(const IntTile& t) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  F sum[kStrips], sum2[kStrips];
  for (int i = 0; i < kStrips; ++i) {
    sum[i] = t.first ? zero() : load(t.c + kStripColumns * i);
    sum2[i] = t.first ? zero() : load(t.c2 + kStripColumns * i);
  }
  const uint8_t *w = t.w, *w2 = t.w2;
  for (int64_t b = 0; b < t.blocks; b += Blk::kParts) {
    typename Blk::Head h, h2;
    Blk::read_head(w, h);
    Blk::read_head(w2, h2);
    w += head_bytes(s), w2 += head_bytes(s);
#pragma GCC unroll 1
    for (int64_t i = b; i < b + Blk::kParts; ++i) {
      w = add_part<Blk>(sum, w, h, t.a + 32 * i, t.a_scale[i], t.a_sum + 2 * i, t.ahead);
      w2 = add_part<Blk>(sum2, w2, h2, t.a + 32 * i, t.a_scale[i], t.a_sum + 2 * i, t.ahead);
    }
  }
  for (int i = 0; i < kStrips; ++i) {
    store(t.c + kStripColumns * i, sum[i]);
    store(t.c2 + kStripColumns * i, sum2[i]);
  }
}

// What of 32 elements' activations all strips need: the dots' start and what the minima are multiplied by.
struct Started {
  int32_t start[2][kMaxTileRows];
  float weighted[2][kMaxTileRows];
};

// Rows first .. first + kRows of one strip of a part.
template <class Blk, int kRows, int kHalf = 0>
MOTLEY_INLINE void add_rows(const IntTile& t, int first, float* c, const B* w, const F* scale, const F* min, const int8_t* a, const float* a_scale,
                            const Started& x) {
  constexpr int kCount = 8 / Blk::kHalves;
  I dot[kRows];
  for (int r = 0; r < kRows; ++r) dot[r] = set_int(x.start[kHalf][first + r]);
  add_dots<Blk, kRows, kHalf * kCount, (kHalf + 1) * kCount>(dot, w, a + 32 * first);
  for (int r = 0; r < kRows; ++r) {
    float* to = c + (first + r) * t.c_stride;
    F sum = accumulate(load(to), dot[r], scale[kHalf], a_scale[first + r]);
    if constexpr (Blk::kSpec.has_min) sum = fnma(min[kHalf], set(x.weighted[kHalf][first + r]), sum);
    store(to, sum);
  }
  if constexpr (kHalf + 1 < Blk::kHalves) add_rows<Blk, kRows, kHalf + 1>(t, first, c, w, scale, min, a, a_scale, x);
}

template <int kFormat>
void rows_times_panel(const IntTile& t) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  if (t.first)
    for (int r = 0; r < t.rows; ++r)
      for (int i = 0; i < kStrips; ++i) store(t.c + r * t.c_stride + kStripColumns * i, zero());
  const uint8_t* w = t.w;
  const int8_t* a = t.a;
  const float* a_scale = t.a_scale;
  const int32_t* a_sum = t.a_sum;
  for (int64_t b = 0; b < t.blocks; b += Blk::kParts) {
    typename Blk::Head h;
    Blk::read_head(w, h);
    w += head_bytes(s);
#pragma GCC unroll 1
    for (int i = 0; i < Blk::kParts; ++i, a += 32 * t.rows, a_scale += t.rows, a_sum += 2 * t.rows) {
      Blk::ask_ahead(w, wide_bytes(s) / Blk::kParts, t.ahead);
      Started x;
      for (int half = 0; half < Blk::kHalves; ++half) {
        for (int r = 0; r < t.rows; ++r) {
          int32_t all = sum_of<Blk>(a_sum, t.rows, r, half);
          x.start[half][r] = -Blk::kBias * all;
          if constexpr (s.has_min) x.weighted[half][r] = a_scale[r] * static_cast<float>(all);
        }
      }
      const uint8_t* part = w;
      w += strips_at(s);
#pragma GCC unroll 1
      for (int strip = 0; strip < kStrips; ++strip, w += strip_bytes(s)) {
        B low[Blk::kStored], high[2], v[8];
        Blk::load_stored(w, low, high);
        unpack<kFormat>(v, low, high);
        F scale[Blk::kHalves], min[Blk::kHalves];
        Blk::scales(h, part, strip, scale, min);
        float* c = t.c + kStripColumns * strip;
        int r = 0;
#pragma GCC unroll 1
        for (; r + kDotRows <= t.rows; r += kDotRows) add_rows<Blk, kDotRows>(t, r, c, v, scale, min, a, a_scale, x);
#pragma GCC unroll 1
        for (; r < t.rows; ++r) add_rows<Blk, 1>(t, r, c, v, scale, min, a, a_scale, x);
      }
    }
  }
}

template <int kFormat>
void int_tile(const IntTile& t) {
  if (t.rows == 1) return t.w2 ? row_times_two<kFormat>(t) : row_times_panel<kFormat>(t);
  rows_times_panel<kFormat>(t);
}

// Elements 4 g .. 4 g + 3 of 16 columns as floats, to rows of a panel of floats.
template <class Blk, int j = 0>
MOTLEY_INLINE void store_floats(float* out, B w, F scale, F min) {
  F value = mul(scale, to_float(add(byte_of<j>(w), set_int(-Blk::kSpec.bias))));
  store(out + j * kPanelColumns, Blk::kSpec.has_min ? sub(value, min) : value);
  if constexpr (j < 3) store_floats<Blk, j + 1>(out, w, scale, min);
}

// Weights as floats, for products whose activations stay f32.
template <int kFormat>
void unpack_floats(const uint8_t* w, int64_t blocks, float* out) {
  using Blk = Blocks<kFormat>;
  constexpr BlockSpec s = Blk::kSpec;
  for (int64_t b = 0; b < blocks; b += Blk::kParts) {
    typename Blk::Head h;
    Blk::read_head(w, h);
    w += head_bytes(s);
    for (int i = 0; i < Blk::kParts; ++i, out += 32 * kPanelColumns) {
      const uint8_t* part = w;
      w += strips_at(s);
      for (int strip = 0; strip < kStrips; ++strip, w += strip_bytes(s)) {
        B low[Blk::kStored], high[2], v[8];
        Blk::load_stored(w, low, high);
        unpack<kFormat>(v, low, high);
        F scale[Blk::kHalves], min[Blk::kHalves];
        Blk::scales(h, part, strip, scale, min);
        for (int g = 0; g < 8; ++g) {
          int half = g * Blk::kHalves / 8;
          store_floats<Blk>(out + 4 * g * kPanelColumns + kStripColumns * strip, v[g], scale[half], min[half]);
        }
      }
    }
  }
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
      memcpy(a + (b * rows + r) * 32, q, 32);
      a_scale[b * rows + r] = scale;
      a_sum[(2 * b) * rows + r] = sums[0];
      a_sum[(2 * b + 1) * rows + r] = sums[1];
    }
  }
}

template <int kFormat = 0>
void fill_formats(KernelTable& t) {
  t.int_tile[kFormat] = int_tile<kFormat>;
  t.unpack_floats[kFormat] = unpack_floats<kFormat>;
  if constexpr (kFormat + 1 < kNumBlockFormats) fill_formats<kFormat + 1>(t);
}

}  // namespace

void fill_block_products(KernelTable& t) {
  t.quantise = quantise;
  fill_formats(t);
}

}  // namespace motley::cpu::MOTLEY_ISA
