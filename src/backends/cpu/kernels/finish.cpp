// What follows a product, on a block of its result that is still in the processor's cache. Every step is the one that the op alone would do, so
// fused and unfused have the same bits.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/math.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

constexpr int kNothing = -1;

template <int kOp>
void finish(const FinishRows& f) {
  const F scale = set(f.scale);
  const bool scaled = f.scale != 1.0f;
  for (int64_t r = 0; r < f.rows; ++r) {
    const float* z = f.z + r * f.z_row;
    const int64_t at = r * f.row;
    for (int64_t i = 0; i < f.n; i += 16) {
      const int64_t lanes = f.n - i;
      F x = load_n(z + i, lanes);
      if (scaled) x = mul(x, scale);
      if (f.bias) x = add(x, load_n(f.bias + i, lanes));
      if (f.kept) store_n(f.kept + at + i, x, lanes);
      if constexpr (kOp != kNothing) x = f.slope_at ? mul(x, slope<kOp>(load_n(f.slope_at + at + i, lanes))) : activate<kOp>(x);
      if (f.residual) x = add(x, load_n(f.residual + at + i, lanes));
      store_n(f.out + at + i, x, lanes);
    }
  }
}

}  // namespace

void fill_finish(KernelTable& t) {
  t.finish[0] = finish<kNothing>;
  t.finish[1] = finish<kSilu>;
  t.finish[2] = finish<kGelu>;
  t.finish[3] = finish<kGeluTanh>;
  t.finish[4] = finish<kRelu>;
}

}  // namespace motley::cpu::MOTLEY_ISA
