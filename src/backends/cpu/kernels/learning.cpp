// Rows of gradients: activations, norms, softmax, and the scores of attention. Memory-bound but for the exponentials.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/math.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

// Sum over i of term(i, lanes so far): four chains, joined pairwise, so the order depends on n alone.
template <class Term>
MOTLEY_INLINE float sum_of(int64_t n, Term term) {
  F s[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 64 <= n; i += 64)
    for (int j = 0; j < 4; ++j) s[j] = term(i + 16 * j, s[j]);
  for (int j = 0; i < n; i += 16, ++j) s[j] = term(i, s[j]);
  return reduce_add(add(add(s[0], s[1]), add(s[2], s[3])));
}

MOTLEY_INLINE F load_or(const float* p, int64_t n, float other) {  // lanes beyond n are `other`
  if (n >= 16) return load(p);
  float t[16];
  store(t, set(other));
  store_n(t, load_n(p, n), n);
  return load(t);
}

float square_sum(const float* x, int64_t n) {
  return sum_of(
      n, [&](int64_t i, F s) __attribute__((always_inline)) {
        F v = load_n(x + i, n - i);
        return fma(v, v, s);
      });
}

float dot(const float* x, const float* y, int64_t n) {
  return sum_of(
      n, [&](int64_t i, F s) __attribute__((always_inline)) { return fma(load_n(x + i, n - i), load_n(y + i, n - i), s); });
}

template <int kOp>
void act_grad(float* dx, const float* x, const float* dy, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_n(dx + i, mul(load_n(dy + i, n - i), slope<kOp>(load_n(x + i, n - i))), n - i);
}

// dx = r (w dy - unit * mean(w dy * unit)), unit = r x; dw += dy * unit.
void rms_norm_grad(float* dx, float* dw, const float* x, const float* w, const float* dy, int64_t n, float eps, float offset) {
  auto width = static_cast<float>(n);
  F shift = set(offset);
  float r = 1.0f / __builtin_sqrtf(square_sum(x, n) / width + eps);
  float along = sum_of(
      n, [&](int64_t i, F s)
             __attribute__((always_inline)) { return fma(mul(load_n(x + i, n - i), add(shift, load_n(w + i, n - i))), load_n(dy + i, n - i), s); });
  F scale = set(r), back = set(r * r * along / width);
  for (int64_t i = 0; i < n; i += 16) {
    F unit = mul(load_n(x + i, n - i), scale), d = load_n(dy + i, n - i);
    store_n(dw + i, fma(d, unit, load_n(dw + i, n - i)), n - i);
    store_n(dx + i, mul(scale, mul(d, add(shift, load_n(w + i, n - i)))), n - i);
    store_n(dx + i, fnma(back, unit, load_n(dx + i, n - i)), n - i);
  }
}

void layer_norm_grad(float* dx, float* dw, float* db, const float* x, const float* w, const float* dy, int64_t n, float eps) {
  auto width = static_cast<float>(n);
  float mean = sum_of(
                   n, [&](int64_t i, F s) __attribute__((always_inline)) { return add(s, load_n(x + i, n - i)); }) /
               width;
  F m = set(mean);
  float squares = sum_of(
      n, [&](int64_t i, F s) __attribute__((always_inline)) {
        F v = sub(load_or(x + i, n - i, mean), m);
        return fma(v, v, s);
      });
  float r = 1.0f / __builtin_sqrtf(squares / width + eps);
  float sum = dot(dy, w, n);
  float along = sum_of(
      n, [&](int64_t i, F s)
             __attribute__((always_inline)) { return fma(mul(sub(load_n(x + i, n - i), m), load_n(w + i, n - i)), load_n(dy + i, n - i), s); });
  F scale = set(r), back = set(r * r * along / width), centre = set(r * sum / width);
  for (int64_t i = 0; i < n; i += 16) {
    F unit = mul(sub(load_n(x + i, n - i), m), scale), d = load_n(dy + i, n - i);
    store_n(dw + i, fma(d, unit, load_n(dw + i, n - i)), n - i);
    store_n(db + i, add(d, load_n(db + i, n - i)), n - i);
    store_n(dx + i, fnma(back, unit, sub(mul(scale, mul(d, load_n(w + i, n - i))), centre)), n - i);
  }
}

float log_sum_exp(const float* x, int64_t n) {
  F top = set(x[0]);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) top = max(top, load(x + i));
  float most = reduce_max(top);
  for (; i < n; ++i) most = x[i] > most ? x[i] : most;
  F shift = set(most);
  float sum = 0;
  F s = zero();
  for (i = 0; i + 16 <= n; i += 16) s = add(s, exp(sub(load(x + i), shift)));
  if (i < n) {
    float rest[16];
    store(rest, exp(sub(load_n(x + i, n - i), shift)));
    for (int64_t j = 0; j < n - i; ++j) sum += rest[j];
  }
  return most + __builtin_logf(sum + reduce_add(s));
}

void softmax_grad(float* dx, const float* x, int64_t n, float lse, float scale, float each) {
  F shift = set(lse), all = set(scale), share = set(each);
  for (int64_t i = 0; i < n; i += 16) store_n(dx + i, mul(all, sub(exp(sub(load_n(x + i, n - i), shift)), share)), n - i);
}

// What stands outside a row's columns begin .. end.
MOTLEY_INLINE void fill_outside(float* row, int begin, int end, float with) {
  for (int j = 0; j < begin; ++j) row[j] = with;
  for (int j = end; j < kAttendChunk; ++j) row[j] = with;
}

void attend_weights(const AttendWeights& a) {
  constexpr int kVectors = kAttendChunk / 16;
  const F scale = set(a.scale), cap = set(a.softcap);
  for (int64_t r = 0; r < a.rows; ++r) {
    float* score = a.score + r * kAttendChunk;
    if (a.begin[r] >= a.end[r]) {
      fill_outside(score, kAttendChunk, kAttendChunk, 0);
      continue;
    }
    for (int j = 0; j < kAttendChunk; j += 16) {
      F s = mul(load(score + j), scale);
      if (a.softcap > 0) s = mul(cap, tanh(div(s, cap)));
      if (a.bias) s = add(s, load(a.bias + r * kAttendChunk + j));
      store(score + j, s);
    }
    fill_outside(score, a.begin[r], a.end[r], -INFINITY);
    F w[kVectors];
    for (int i = 0; i < kVectors; ++i) w[i] = load(score + 16 * i);
    const float peak = reduce_max(max(max(w[0], w[1]), max(w[2], w[3]))), old = a.state.max[r], top = peak > old ? peak : old;
    const float shift = top == -INFINITY ? 0 : top;  // -inf - -inf would be no number
    for (int i = 0; i < kVectors; ++i) {
      w[i] = exp_below_zero(sub(w[i], set(shift)));
      store(score + 16 * i, w[i]);
    }
    const float sum = reduce_add(add(add(w[0], w[1]), add(w[2], w[3])));
    a.state.max[r] = top;
    if (old == top) {
      a.state.sum[r] += sum;
      continue;
    }
    float lane[16];
    store(lane, exp_below_zero(set(old - shift)));
    a.state.sum[r] = a.state.sum[r] * lane[0] + sum;
    float* out = a.state.out + r * a.dv;
    for (int64_t e = 0; e < a.dv; e += 16) store_n(out + e, mul(load_n(out + e, a.dv - e), set(lane[0])), a.dv - e);
  }
}

void attend_slopes(const AttendSlopes& a) {
  F scale = set(a.scale), cap = set(a.softcap), one = set(1.0f);
  for (int r = 0; r < a.rows; ++r) {
    float *score = a.score + r * kAttendChunk, *slope = a.slope + r * kAttendChunk;
    F lse = set(a.lse[r]), mean = set(a.mean[r]);
    for (int j = 0; j < kAttendChunk; j += 16) {
      F s = mul(load(score + j), scale), turn = scale;
      if (a.softcap > 0) {
        F t = tanh(div(s, cap));
        s = mul(cap, t);
        turn = mul(scale, fnma(t, t, one));
      }
      if (a.bias) s = add(s, load(a.bias + r * kAttendChunk + j));
      F p = exp(sub(s, lse));
      store(score + j, p);
      store(slope + j, mul(mul(p, sub(load(slope + j), mean)), turn));
    }
    fill_outside(score, a.begin[r], a.end[r], 0);
    fill_outside(slope, a.begin[r], a.end[r], 0);
  }
}

}  // namespace

void fill_learning(KernelTable& t) {
  t.act_grad[0] = act_grad<kSilu>;
  t.act_grad[1] = act_grad<kGelu>;
  t.act_grad[2] = act_grad<kGeluTanh>;
  t.act_grad[3] = act_grad<kRelu>;
  t.rms_norm_grad = rms_norm_grad;
  t.layer_norm_grad = layer_norm_grad;
  t.square_sum = square_sum;
  t.dot = dot;
  t.log_sum_exp = log_sum_exp;
  t.softmax_grad = softmax_grad;
  t.attend_weights = attend_weights;
  t.attend_slopes = attend_slopes;
}

}  // namespace motley::cpu::MOTLEY_ISA
