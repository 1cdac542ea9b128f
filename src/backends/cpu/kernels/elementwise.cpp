// Elementwise kernels: memory-bound, one pass, the tail in the same vector code so that an element's bits do not depend on its place.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/math.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

template <int kOp>
MOTLEY_INLINE F apply(F a, F b) {
  if constexpr (kOp == kAdd) return add(a, b);
  if constexpr (kOp == kSub) return sub(a, b);
  if constexpr (kOp == kMul) return mul(a, b);
  if constexpr (kOp == kDiv) return div(a, b);
  if constexpr (kOp == kLess) return select_less(a, b, set(1.0f), zero());
  if constexpr (kOp == kMaximum) return select_nan(a, a, max(a, b));  // NaN in either stays
}

template <int kOp>
void binary(float* out, const float* a, const float* b, int64_t n, int a_step, int b_step) {
  if (a_step && b_step) {
    for (int64_t i = 0; i < n; i += 16) store_n(out + i, apply<kOp>(load_n(a + i, n - i), load_n(b + i, n - i)), n - i);
  } else if (a_step) {
    F y = set(*b);
    for (int64_t i = 0; i < n; i += 16) store_n(out + i, apply<kOp>(load_n(a + i, n - i), y), n - i);
  } else if (b_step) {
    F x = set(*a);
    for (int64_t i = 0; i < n; i += 16) store_n(out + i, apply<kOp>(x, load_n(b + i, n - i)), n - i);
  } else {
    F r = apply<kOp>(set(*a), set(*b));
    for (int64_t i = 0; i < n; i += 16) store_n(out + i, r, n - i);
  }
}

template <int kOp>
MOTLEY_INLINE F apply(F x, float parameter) {
  if constexpr (kOp == kNeg) return neg_sign(x);
  if constexpr (kOp == kExp) return exp(x);
  if constexpr (kOp == kLog) return log(x);
  if constexpr (kOp == kSqrt) return sqrt(x);
  if constexpr (kOp == kRsqrt) return div(set(1.0f), sqrt(x));
  if constexpr (kOp == kTanh) return tanh(x);
  if constexpr (kOp == kErf) return erf(x);
  if constexpr (kOp == kSigmoid) return sigmoid(x);
  if constexpr (kOp == kSilu || kOp == kGelu || kOp == kGeluTanh || kOp == kRelu) return activate<kOp>(x);
  if constexpr (kOp == kSoftcap) return mul(set(parameter), tanh(div(x, set(parameter))));
}

template <int kOp>
void unary(float* out, const float* x, int64_t n, float parameter) {
  for (int64_t i = 0; i < n; i += 16) store_n(out + i, apply<kOp>(load_n(x + i, n - i), parameter), n - i);
}

template <int kOp>
void glu(float* out, const float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_n(out + i, mul(apply<kOp>(load_n(gate + i, n - i), 0.0f), load_n(up + i, n - i)), n - i);
}

template <int kOp = 0>
void fill_binary(KernelTable& t) {
  t.binary[kOp] = binary<kOp>;
  if constexpr (kOp + 1 < kNumBinary) fill_binary<kOp + 1>(t);
}
template <int kOp = 0>
void fill_unary(KernelTable& t) {
  t.unary[kOp] = unary<kOp>;
  if constexpr (kOp + 1 < kNumUnary) fill_unary<kOp + 1>(t);
}

}  // namespace

void fill_elementwise(KernelTable& t) {
  fill_binary(t);
  fill_unary(t);
  t.glu[0] = glu<kSilu>;
  t.glu[1] = glu<kGelu>;
  t.glu[2] = glu<kGeluTanh>;
  t.glu[3] = glu<kRelu>;
}

}  // namespace motley::cpu::MOTLEY_ISA
