// Attention of a few query rows with one chunk of positions, keys and values already f32 and in cache.
//
// A score is a dot product along the head's elements in the 16 lanes; 16 scores are reduced together. The chunk's own maximum, sum and
// weighted values are formed from zero and then joined to the running ones, so the result is a function of the chunk boundaries alone
// (fixed multiples of kAttendChunk) and chunks may be computed by anyone.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/math.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

// The products of a query with up to four keys, not yet summed over lanes: four chains, since one would be waited for.
MOTLEY_INLINE void dots_of_four(const float* q, const float* k, int64_t d, int count, F* dot) {
  const float* row[4];
  F s[4];
  for (int i = 0; i < 4; ++i) row[i] = k + (i < count ? i : 0) * d, s[i] = zero();
  int64_t e = 0;
  for (; e + 16 <= d; e += 16) {
    F x = load(q + e);
    for (int i = 0; i < 4; ++i) s[i] = fma(x, load(row[i] + e), s[i]);
  }
  if (e < d) {
    F x = load_n(q + e, d - e);
    for (int i = 0; i < 4; ++i) s[i] = fma(x, load_n(row[i] + e, d - e), s[i]);
  }
  for (int i = 0; i < 4; ++i) dot[i] = s[i];
}

void scores_of(const float* q, const float* k, int64_t d, int positions, float softcap, float* score) {
  for (int j = 0; j < positions; j += 16) {
    F dot[16];
    int n = positions - j < 16 ? positions - j : 16;
    for (int i = 0; i < n; i += 4) dots_of_four(q, k + (j + i) * d, d, n - i, dot + i);
    for (int i = n; i < 16; ++i) dot[i] = zero();
    F s = reduce_add_16(dot);
    if (softcap > 0) s = mul(set(softcap), tanh(div(s, set(softcap))));
    store(score + j, s);
  }
}

// sum over j of weight[j] * v[j], kTerms vectors wide.
template <int kTerms>
MOTLEY_INLINE void weighted(const float* weight, const float* v, int64_t dv, int begin, int end, float scale_old, float scale_new, float* out) {
  F s[kTerms];
  for (int i = 0; i < kTerms; ++i) s[i] = zero();
  for (int j = begin; j < end; ++j) {
    F p = set(weight[j]);
    for (int i = 0; i < kTerms; ++i) s[i] = fma(p, load(v + j * dv + 16 * i), s[i]);
  }
  for (int i = 0; i < kTerms; ++i) store(out + 16 * i, fma(s[i], set(scale_new), mul(load(out + 16 * i), set(scale_old))));
}

void values_of(const float* weight, const float* v, int64_t dv, int begin, int end, float scale_old, float scale_new, float* out) {
  int64_t e = 0;
  for (; e + 64 <= dv; e += 64) weighted<4>(weight, v + e, dv, begin, end, scale_old, scale_new, out + e);
  for (; e + 16 <= dv; e += 16) weighted<1>(weight, v + e, dv, begin, end, scale_old, scale_new, out + e);
  if (e < dv) {
    int64_t n = dv - e;
    F s = zero();
    for (int j = begin; j < end; ++j) s = fma(set(weight[j]), load_n(v + j * dv + e, n), s);
    store_n(out + e, fma(s, set(scale_new), mul(load_n(out + e, n), set(scale_old))), n);
  }
}

void attend(const AttendChunk& c) {
  for (int r = 0; r < c.rows; ++r) {
    int begin = c.begin[r], end = c.end[r];
    if (begin >= end) continue;
    alignas(64) float score[kAttendChunk];
    scores_of(c.q + r * c.d, c.k, c.d, end, c.softcap, score);
    F top = set(-INFINITY);
    for (int j = 0; j < kAttendChunk; ++j)
      if (j < begin || j >= end) score[j] = -INFINITY;
    for (int j = 0; j < kAttendChunk; j += 16) top = max(top, load(score + j));
    float m = reduce_max(top);
    if (m == -INFINITY) continue;
    F sum = zero();
    for (int j = 0; j < kAttendChunk; j += 16) {
      F p = exp(sub(load(score + j), set(m)));
      sum = add(sum, p);
      store(score + j, p);
    }
    // Join: both sides are brought to the larger maximum. exp of vectors, so that all lanes of all sets round alike.
    float old_max = c.max[r], new_max = m > old_max ? m : old_max;
    float joined[16];
    store(joined, set(0.0f));
    joined[0] = old_max - new_max;
    joined[1] = m - new_max;
    store(joined, exp(load(joined)));
    c.max[r] = new_max;
    c.sum[r] = c.sum[r] * joined[0] + reduce_add(sum) * joined[1];
    values_of(score, c.v, c.dv, begin, end, joined[0], joined[1], c.out + r * c.dv);
  }
}

}  // namespace

void fill_attention(KernelTable& t) { t.attend = attend; }

}  // namespace motley::cpu::MOTLEY_ISA
