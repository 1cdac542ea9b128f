// Rotary positions: a pair of elements is a point in the plane, turned by an angle of its own.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/simd.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

void rope_half(float* out, const float* x, const float* cos, const float* sin, int64_t pairs, int64_t d) {
  for (int64_t i = 0; i < pairs; i += 16) {
    int64_t n = pairs - i;
    F a = load_n(x + i, n), b = load_n(x + pairs + i, n), c = load_n(cos + i, n), s = load_n(sin + i, n);
    store_n(out + i, fnma(b, s, mul(a, c)), n);
    store_n(out + pairs + i, fma(a, s, mul(b, c)), n);
  }
  if (out != x)
    for (int64_t i = 2 * pairs; i < d; i += 16) store_n(out + i, load_n(x + i, d - i), d - i);
}

void rope_interleaved(float* out, const float* x, const float* cos, const float* sin, int64_t pairs, int64_t d) {
  for (int64_t i = 0; i < pairs; ++i) {
    float a = x[2 * i], b = x[2 * i + 1];
    out[2 * i] = a * cos[i] - b * sin[i];
    out[2 * i + 1] = a * sin[i] + b * cos[i];
  }
  if (out != x)
    for (int64_t i = 2 * pairs; i < d; i += 16) store_n(out + i, load_n(x + i, d - i), d - i);
}

}  // namespace

void fill_rope(KernelTable& t) {
  t.rope_half = rope_half;
  t.rope_interleaved = rope_interleaved;
}

}  // namespace motley::cpu::MOTLEY_ISA
