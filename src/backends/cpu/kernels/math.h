// Elementary functions of vectors, accurate to about one unit in the last place; measured by tests/ops against the reference in double.
#pragma once
#include "backends/cpu/kernels/simd.h"
#include "backends/cpu/kernels/table.h"

namespace motley::cpu::MOTLEY_ISA {

// e^x = 2^n e^r with |r| <= ln(2)/2; the series to r^7 leaves 5e-9. Below -87.33 the result would be subnormal and is 0.
MOTLEY_INLINE F exp(F x) {
  F c = min(max(x, set(-87.33654f)), set(88.72283f));
  F n = round(mul(c, set(1.44269504f)));
  F r = fma(n, set(-0.693359375f), c);  // ln(2) in two parts: n times the first is exact
  r = fma(n, set(2.12194440e-4f), r);
  F p = set(1.0f / 5040);
  p = fma(p, r, set(1.0f / 720));
  p = fma(p, r, set(1.0f / 120));
  p = fma(p, r, set(1.0f / 24));
  p = fma(p, r, set(1.0f / 6));
  p = fma(p, r, set(0.5f));
  p = fma(p, mul(r, r), r);
  p = add(p, set(1.0f));
  F inside = min(n, set(127.0f));  // 2^128 is no float although e^88.7 is one
  p = mul(p, add(set(1.0f), sub(n, inside)));
  F y = scale_by_power(p, inside);
  y = select_less(x, set(-87.33654f), zero(), y);
  y = select_less(set(88.72283f), x, set(INFINITY), y);
  return select_nan(x, x, y);
}

// The same for x that is not above zero: what a softmax needs, with a third of the operations less.
MOTLEY_INLINE F exp_below_zero(F x) {
  F c = max(set(-87.33654f), x);  // keeps NaN
  F n = round(mul(c, set(1.44269504f)));
  F r = fma(n, set(-0.693359375f), c);
  r = fma(n, set(2.12194440e-4f), r);
  F p = set(1.0f / 5040);
  p = fma(p, r, set(1.0f / 720));
  p = fma(p, r, set(1.0f / 120));
  p = fma(p, r, set(1.0f / 24));
  p = fma(p, r, set(1.0f / 6));
  p = fma(p, r, set(0.5f));
  p = fma(p, mul(r, r), r);
  return select_less(x, set(-87.33654f), zero(), scale_by_power(add(p, set(1.0f)), n));
}

MOTLEY_INLINE F tanh(F x) {
  F a = abs(x), s = mul(x, x);
  F p = set(-5.70498872745e-3f);  // odd polynomial for |x| <= 0.625 (Cephes)
  p = fma(p, s, set(2.06390887954e-2f));
  p = fma(p, s, set(-5.37397155531e-2f));
  p = fma(p, s, set(1.33314422036e-1f));
  p = fma(p, s, set(-3.33332819422e-1f));
  F small = fma(mul(p, s), x, x);
  F large = sub(set(1.0f), div(set(2.0f), add(exp(add(a, a)), set(1.0f))));
  return select_less(a, set(0.625f), small, copy_sign(large, x));
}

// Lane by lane: losses take it of a number per row.
MOTLEY_INLINE F log(F x) {
  float lanes[16];
  store(lanes, x);
  for (float& v : lanes) v = __builtin_logf(v);
  return load(lanes);
}

MOTLEY_INLINE F sigmoid(F x) { return div(set(1.0f), add(set(1.0f), exp(neg_sign(x)))); }

// Two polynomials that meet at 0.921875: near zero erf itself, beyond the exponent of 1 - e^p.
MOTLEY_INLINE F erf(F x) {
  F t = abs(x), s = mul(x, x);
  F r = fma(set(-1.72853470e-5f), t, set(3.83197126e-4f));
  F u = fma(set(-3.88396438e-3f), t, set(2.42546219e-2f));
  r = fma(r, s, u);
  r = fma(r, t, set(-1.06777877e-1f));
  r = fma(r, t, set(-6.34846687e-1f));
  r = fma(r, t, set(-1.28717512e-1f));
  r = fma(r, t, neg_sign(t));
  F large = copy_sign(sub(set(1.0f), exp(r)), x);
  large = select_less(set(4.0f), t, copy_sign(set(1.0f), x), large);  // the polynomial turns back far outside
  F p = set(-5.96761703e-4f);
  p = fma(p, s, set(4.99119423e-3f));
  p = fma(p, s, set(-2.67681349e-2f));
  p = fma(p, s, set(1.12819925e-1f));
  p = fma(p, s, set(-3.76125336e-1f));
  p = fma(p, s, set(1.28379166e-1f));
  F y = select_less(set(0.921875f), t, large, fma(p, x, x));
  return select_nan(x, x, y);
}

MOTLEY_INLINE F silu(F x) { return div(x, add(set(1.0f), exp(neg_sign(x)))); }
MOTLEY_INLINE F gelu(F x) { return mul(mul(set(0.5f), x), add(set(1.0f), erf(mul(x, set(0.70710678f))))); }
MOTLEY_INLINE F gelu_tanh(F x) {
  F inner = mul(set(0.79788456f), fma(mul(set(0.044715f), mul(x, x)), x, x));
  return mul(mul(set(0.5f), x), add(set(1.0f), tanh(inner)));
}
// Of -0 it is +0, so that the greatest of several may be taken before or after it.
MOTLEY_INLINE F relu(F x) { return select_less(zero(), x, x, select_nan(x, x, zero())); }

// An activation by its number in Unary (table.h), and its derivative.
template <int kOp>
MOTLEY_INLINE F activate(F x) {
  if constexpr (kOp == kSilu) return silu(x);
  if constexpr (kOp == kGelu) return gelu(x);
  if constexpr (kOp == kGeluTanh) return gelu_tanh(x);
  if constexpr (kOp == kRelu) return relu(x);
}
template <int kOp>
MOTLEY_INLINE F slope(F x) {
  F one = set(1.0f);
  if constexpr (kOp == kSilu) {
    F s = sigmoid(x);
    return mul(s, fma(x, sub(one, s), one));
  }
  if constexpr (kOp == kGelu) {
    F integral = mul(set(0.5f), add(one, erf(mul(x, set(0.70710678f)))));
    return fma(mul(x, set(0.39894228f)), exp(mul(mul(x, x), set(-0.5f))), integral);
  }
  if constexpr (kOp == kGeluTanh) {
    F s = mul(x, x), t = tanh(mul(set(0.79788456f), fma(mul(set(0.044715f), s), x, x)));
    F inner = mul(set(0.79788456f), fma(set(3 * 0.044715f), s, one));
    return mul(set(0.5f), fma(mul(x, fnma(t, t, one)), inner, add(one, t)));
  }
  if constexpr (kOp == kRelu) return select_less(zero(), x, one, zero());
}

}  // namespace motley::cpu::MOTLEY_ISA
