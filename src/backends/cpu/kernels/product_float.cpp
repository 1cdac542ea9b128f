// Products with float weights in panels: a register tile of rows x 16, 32 or 64 outputs, each one chain of multiply-adds over k in order.
//
// One row (decode) is bound by memory and reads a panel as one stream. Many rows are bound by the multiply-add units: AVX-512 holds 6 rows x
// 64 columns in 24 registers, per k four loads of weights and six broadcasts.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/simd.h"
#include "backends/cpu/kernels/tiles.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

struct F32 {
  static constexpr int kBytes = 4;
  MOTLEY_INLINE F get(const uint8_t* p) { return load(reinterpret_cast<const float*>(p)); }
};
struct F16 {
  static constexpr int kBytes = 2;
  MOTLEY_INLINE F get(const uint8_t* p) { return load_f16(reinterpret_cast<const uint16_t*>(p)); }
};
struct Bf16 {
  static constexpr int kBytes = 2;
  MOTLEY_INLINE F get(const uint8_t* p) { return load_bf16(reinterpret_cast<const uint16_t*>(p)); }
};

constexpr int64_t kTileAhead = 8;  // k
constexpr int64_t kSumsEvery = 4;  // k

template <class Weight, int kRows, int kColumns>
void tile_of(const FloatTile& t, int strip) {
  F acc[kRows][kColumns];
  for (int r = 0; r < kRows; ++r)
    for (int s = 0; s < kColumns; ++s) acc[r][s] = zero();
  const float* a = t.a;
  constexpr int64_t kStep = kPanelColumns * Weight::kBytes, kWidth = kColumns * kStripColumns * Weight::kBytes;
  const uint8_t *w = t.w + strip * kStripColumns * Weight::kBytes, *ask = strip == 0 ? t.ask : nullptr;
  for (int64_t k = 0; k < t.k; ++k, w += kStep) {
    if (ask) {
      for (int64_t i = 0; i < t.ask_step; i += 64) __builtin_prefetch(ask + i, 0, 2);
      ask += t.ask_step;
    }
    // The sums, which are wanted at the end and are often far away: a line at a time, or what is read now would wait behind them.
    if (kRows > 1 && k < kRows * kColumns * kSumsEvery && k % kSumsEvery == 0) {
      const int64_t line = k / kSumsEvery;
      __builtin_prefetch(t.c + line / kColumns * t.c_stride + kStripColumns * (strip + line % kColumns), 1);
    }
    if (kRows > 1)  // from the second-level cache, where the panel's part stays while the rows pass over it
      for (int64_t i = 0; i < kWidth; i += 64) __builtin_prefetch(w + kTileAhead * kStep + i);
    F wk[kColumns];
    for (int s = 0; s < kColumns; ++s) wk[s] = Weight::get(w + s * kStripColumns * Weight::kBytes);
    for (int r = 0; r < kRows; ++r) {
      F x = set(a[r]);
      for (int s = 0; s < kColumns; ++s) acc[r][s] = fma(x, wk[s], acc[r][s]);
    }
    a += kRows;
  }
  for (int r = 0; r < kRows; ++r)
    for (int s = 0; s < kColumns; ++s) {
      float* c = t.c + r * t.c_stride + kStripColumns * (strip + s);
      store(c, t.first ? acc[r][s] : add(load(c), acc[r][s]));
    }
}

template <class Weight, int kIndex = 0>
void float_tile(const FloatTile& t) {
  constexpr int kRows = kTileRows[kIndex], kColumns = float_strips(kRows);
  if (t.rows == kRows) {
    for (int strip = 0; strip < kStrips; strip += kColumns) tile_of<Weight, kRows, kColumns>(t, strip);
    return;
  }
  if constexpr (kIndex + 1 < kNumTileRows) float_tile<Weight, kIndex + 1>(t);
}

#if defined(__AVX512F__) && !defined(MOTLEY_ISA_GENERIC)
// Six rows, sixteen k at a time: element p of the 96 comes from row p % 6, k p / 6, so each vector of the result takes from a row by one permutation
// under a mask. Element by element it was 3.5 % of a step of GPT-2 124M.
struct SixRows {
  alignas(64) int32_t k[6][16];
  uint16_t of_row[6][6];
};
constexpr SixRows six_rows() {
  SixRows t{};
  for (int v = 0; v < 6; ++v)
    for (int lane = 0; lane < 16; ++lane) {
      t.k[v][lane] = (16 * v + lane) / 6;
      t.of_row[v][(16 * v + lane) % 6] = static_cast<uint16_t>(t.of_row[v][(16 * v + lane) % 6] | 1u << lane);
    }
  return t;
}
constexpr SixRows kSixRows = six_rows();

int64_t interleave_six(const float* const* x, int64_t k, float* a) {
  int64_t i = 0;
  for (; i + 16 <= k; i += 16, a += 96) {
    __m512 row[6];
    for (int r = 0; r < 6; ++r) row[r] = _mm512_loadu_ps(x[r] + i);
    for (int v = 0; v < 6; ++v) {
      const __m512i from = _mm512_load_si512(kSixRows.k[v]);
      __m512 out = _mm512_maskz_permutexvar_ps(kSixRows.of_row[v][0], from, row[0]);
      for (int r = 1; r < 6; ++r) out = _mm512_mask_permutexvar_ps(out, kSixRows.of_row[v][r], from, row[r]);
      _mm512_storeu_ps(a + 16 * v, out);
    }
  }
  return i;
}
#else
int64_t interleave_six(const float* const*, int64_t, float*) { return 0; }
#endif

void interleave(const float* const* x, int rows, int64_t k, float* a) {
  int64_t i = rows == 6 ? interleave_six(x, k, a) : 0;
  for (a += i * rows; i < k; ++i)
    for (int r = 0; r < rows; ++r) *a++ = x[r][i];
}

}  // namespace

void fill_float_products(KernelTable& t) {
  t.tile_rows = kTileRows;
  t.num_tile_rows = kNumTileRows;
  t.interleave = interleave;
  t.float_tile[0] = float_tile<F32>;
  t.float_tile[1] = float_tile<F16>;
  t.float_tile[2] = float_tile<Bf16>;
}

}  // namespace motley::cpu::MOTLEY_ISA
