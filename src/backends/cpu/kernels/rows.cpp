// Reductions, softmax and norms. A row is summed in four interleaved vectors, so the order of its sum depends on its length alone.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/math.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

// Sum over i of f(i, lanes): four chains, joined pairwise.
template <class Term>
MOTLEY_INLINE float sum_of(int64_t n, Term term) {
  F s[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64)
    for (int j = 0; j < 4; ++j) s[j] = term(i + 16 * j, s[j]);
  for (int j = 0; i < n; i += 16, ++j) s[j] = term(i, s[j]);
  return reduce_add(add(add(s[0], s[1]), add(s[2], s[3])));
}

float sum_row(const float* x, int64_t n) {
  return sum_of(
      n, [&](int64_t i, F s) __attribute__((always_inline)) { return add(s, load_n(x + i, n - i)); });
}
float mean_row(const float* x, int64_t n) { return sum_row(x, n) / static_cast<float>(n); }
MOTLEY_INLINE F load_or(const float* p, int64_t n, float other) {  // lanes beyond n are `other`
  if (n >= 16) return load(p);
  float t[16];
  store(t, set(other));
  store_n(t, load_n(p, n), n);
  return load(t);
}
// For softmax, whose sum shows a NaN wherever it stands: here one may be lost, as the instruction gives its second operand where either is NaN.
MOTLEY_INLINE float largest(const float* x, int64_t n) {
  F m = set(-INFINITY);
  for (int64_t i = 0; i < n; i += 16) m = max(m, load_or(x + i, n - i, -INFINITY));
  return reduce_max(m);
}
MOTLEY_INLINE F max_or_nan(F m, F x) { return select_nan(m, m, max(m, x)); }
float max_row(const float* x, int64_t n) {
  F m = set(-INFINITY);
  for (int64_t i = 0; i < n; i += 16) m = max_or_nan(m, load_or(x + i, n - i, -INFINITY));
  return reduce_add(select_nan(m, set(1.0f), zero())) > 0 ? NAN : reduce_max(m);
}

template <int kReduction>
void reduce_columns(float* out, const float* x, int64_t n, int64_t stride, int64_t columns) {
  for (int64_t c = 0; c < columns; c += 16) {
    F r = kReduction == kReduceMax ? set(-INFINITY) : zero();
    for (int64_t i = 0; i < n; ++i) {
      F v = load_n(x + i * stride + c, columns - c);
      r = kReduction == kReduceMax ? max_or_nan(r, v) : add(r, v);
    }
    if (kReduction == kReduceMean) r = div(r, set(static_cast<float>(n)));
    store_n(out + c, r, columns - c);
  }
}

void softmax_row(float* out, const float* x, int64_t n) {
  float m = largest(x, n);
  if (m == -INFINITY) m = 0;  // nothing allowed: every exponential is zero
  F shift = set(m);
  for (int64_t i = 0; i < n; i += 16) store_n(out + i, exp(sub(load_n(x + i, n - i), shift)), n - i);
  float s = sum_row(out, n);
  F scale = set(s > 0 ? 1.0f / s : s);
  for (int64_t i = 0; i < n; i += 16) store_n(out + i, mul(load_n(out + i, n - i), scale), n - i);
}

void softmax_columns(float* out, const float* x, int64_t n, int64_t stride, int64_t columns) {
  for (int64_t c = 0; c < columns; c += 16) {
    int64_t lanes = columns - c;
    F m = set(-INFINITY), s = zero();
    for (int64_t i = 0; i < n; ++i) m = max(m, load_n(x + i * stride + c, lanes));
    m = select_less(set(-INFINITY), m, m, zero());
    for (int64_t i = 0; i < n; ++i) {
      F e = exp(sub(load_n(x + i * stride + c, lanes), m));
      s = add(s, e);
      store_n(out + i * stride + c, e, lanes);
    }
    F scale = select_less(zero(), s, div(set(1.0f), s), s);
    for (int64_t i = 0; i < n; ++i) store_n(out + i * stride + c, mul(load_n(out + i * stride + c, lanes), scale), lanes);
  }
}

MOTLEY_INLINE float square_sum(const float* x, int64_t n) {
  return sum_of(
      n, [&](int64_t i, F s) __attribute__((always_inline)) {
        F v = load_n(x + i, n - i);
        return fma(v, v, s);
      });
}

void rms_norm(float* out, const float* x, const float* w, int64_t n, float eps, float offset) {
  F scale = set(1.0f / __builtin_sqrtf(square_sum(x, n) / static_cast<float>(n) + eps)), shift = set(offset);
  for (int64_t i = 0; i < n; i += 16) store_n(out + i, mul(mul(load_n(x + i, n - i), scale), add(shift, load_n(w + i, n - i))), n - i);
}

void add_rms_norm(float* sum, float* out, const float* x, const float* y, const float* w, int64_t n, float eps, float offset) {
  for (int64_t i = 0; i < n; i += 16) store_n(sum + i, add(load_n(x + i, n - i), load_n(y + i, n - i)), n - i);
  rms_norm(out, sum, w, n, eps, offset);
}

void layer_norm(float* out, const float* x, const float* w, const float* b, int64_t n, float eps) {
  float mean = mean_row(x, n);
  F m = set(mean);
  float squares = sum_of(
      n, [&](int64_t i, F s) __attribute__((always_inline)) {
        F v = sub(load_or(x + i, n - i, mean), m);
        return fma(v, v, s);
      });
  F scale = set(1.0f / __builtin_sqrtf(squares / static_cast<float>(n) + eps));
  for (int64_t i = 0; i < n; i += 16) {
    F v = mul(sub(load_n(x + i, n - i), m), scale);
    store_n(out + i, fma(v, load_n(w + i, n - i), load_n(b + i, n - i)), n - i);
  }
}

void add_layer_norm(float* sum, float* out, const float* x, const float* y, const float* w, const float* b, int64_t n, float eps) {
  for (int64_t i = 0; i < n; i += 16) store_n(sum + i, add(load_n(x + i, n - i), load_n(y + i, n - i)), n - i);
  layer_norm(out, sum, w, b, n, eps);
}

}  // namespace

void fill_rows(KernelTable& t) {
  t.reduce_row[kReduceSum] = sum_row;
  t.reduce_row[kReduceMean] = mean_row;
  t.reduce_row[kReduceMax] = max_row;
  t.reduce_columns[kReduceSum] = reduce_columns<kReduceSum>;
  t.reduce_columns[kReduceMean] = reduce_columns<kReduceMean>;
  t.reduce_columns[kReduceMax] = reduce_columns<kReduceMax>;
  t.softmax_row = softmax_row;
  t.softmax_columns = softmax_columns;
  t.rms_norm = rms_norm;
  t.add_rms_norm = add_rms_norm;
  t.layer_norm = layer_norm;
  t.add_layer_norm = add_layer_norm;
}

}  // namespace motley::cpu::MOTLEY_ISA
