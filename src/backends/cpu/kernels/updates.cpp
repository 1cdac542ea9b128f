// Optimizer steps: one pass over the states and the gradient, bound by memory.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/simd.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

// The scaled gradient, with the weight's share for L2 decay.
MOTLEY_INLINE F gradient(const UpdateRun& u, int64_t i, F w) { return fma(set(u.decay), w, mul(set(u.scale), load_n(u.g + i, u.n - i))); }

void adamw(const UpdateRun& u) {
  for (int64_t i = 0; i < u.n; i += 16) {
    int64_t n = u.n - i;
    F w = load_n(u.w + i, n), g = gradient(u, i, w), m = load_n(u.m + i, n), v = load_n(u.v + i, n);
    m = fma(set(u.one_minus_beta1), sub(g, m), m);
    v = fma(mul(set(u.one_minus_beta2), g), g, mul(set(u.beta2), v));
    w = mul(w, set(u.keep));
    w = fnma(set(u.rate), div(m, add(div(sqrt(v), set(u.unbias)), set(u.eps))), w);
    store_n(u.w + i, w, n);
    store_n(u.m + i, m, n);
    store_n(u.v + i, v, n);
  }
}

void momentum(const UpdateRun& u) {
  for (int64_t i = 0; i < u.n; i += 16) {
    int64_t n = u.n - i;
    F w = load_n(u.w + i, n), g = gradient(u, i, w);
    F m = fma(set(u.one_minus_beta1), g, mul(set(u.beta1), load_n(u.m + i, n)));
    F step = u.nesterov ? fma(set(u.beta2), m, g) : m;
    store_n(u.w + i, fnma(set(u.rate), step, mul(w, set(u.keep))), n);
    store_n(u.m + i, m, n);
  }
}

void lion(const UpdateRun& u) {
  for (int64_t i = 0; i < u.n; i += 16) {
    int64_t n = u.n - i;
    F w = load_n(u.w + i, n), g = mul(set(u.scale), load_n(u.g + i, n)), m = load_n(u.m + i, n);
    F turn = fma(set(u.one_minus_beta1), g, mul(set(u.beta1), m));
    F sign = sub(select_less(zero(), turn, set(1.0f), zero()), select_less(turn, zero(), set(1.0f), zero()));
    store_n(u.w + i, fnma(set(u.rate), sign, mul(w, set(u.keep))), n);
    store_n(u.m + i, fma(set(u.one_minus_beta2), g, mul(set(u.beta2), m)), n);
  }
}

}  // namespace

void fill_updates(KernelTable& t) {
  t.adamw = adamw;
  t.momentum = momentum;
  t.lion = lion;
}

}  // namespace motley::cpu::MOTLEY_ISA
