// Products with float weights in panels: a register tile of rows x 16 P outputs, each one chain of multiply-adds over k in order.
//
// One row (decode) is bound by memory: several panels at once are as many independent streams. Many rows are bound
// by the multiply-add units: AVX-512 holds 12 rows x 2 panels in 24 registers, per k two loads of weights and twelve broadcasts.
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

template <class Weight, int kRows, int kPanels>
void tile_of(const FloatTile& t, int panel) {
  F acc[kRows][kPanels];
  for (int r = 0; r < kRows; ++r)
    for (int p = 0; p < kPanels; ++p) acc[r][p] = zero();
  const uint8_t* w[kPanels];
  for (int p = 0; p < kPanels; ++p) w[p] = t.w + (panel + p) * t.w_stride;
  const float* a = t.a;
  constexpr int64_t kStep = kPanelColumns * Weight::kBytes;
  for (int64_t k = 0; k < t.k; ++k) {
    F wk[kPanels];
    for (int p = 0; p < kPanels; ++p) wk[p] = Weight::get(w[p] + k * kStep);
    for (int r = 0; r < kRows; ++r) {
      F x = set(a[r]);
      for (int p = 0; p < kPanels; ++p) acc[r][p] = fma(x, wk[p], acc[r][p]);
    }
    a += kRows;
  }
  for (int r = 0; r < kRows; ++r)
    for (int p = 0; p < kPanels; ++p) {
      float* c = t.c + r * t.c_stride + kPanelColumns * (panel + p);
      store(c, t.first ? acc[r][p] : add(load(c), acc[r][p]));
    }
}

template <class Weight, int kRows, int kPanels>
void tiles_from(const FloatTile& t, int panel) {
  for (; panel + kPanels <= t.panels; panel += kPanels) tile_of<Weight, kRows, kPanels>(t, panel);
  if constexpr (kPanels > 1)
    if (panel < t.panels) tiles_from<Weight, kRows, kPanels / 2>(t, panel);
}

template <class Weight, int kIndex = 0>
void float_tile(const FloatTile& t) {
  constexpr int kRows = kTileRows[kIndex];
  if (t.rows == kRows) return tiles_from<Weight, kRows, panels_for(kRows)>(t, 0);
  if constexpr (kIndex + 1 < kNumTileRows) float_tile<Weight, kIndex + 1>(t);
}

void interleave(const float* const* x, int rows, int64_t k, float* a) {
  for (int64_t i = 0; i < k; ++i)
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
