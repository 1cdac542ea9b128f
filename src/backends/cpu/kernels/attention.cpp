// Attention of query rows that share a KV head with one chunk of positions.
//
// Up to four rows go together, so that a key or a value is loaded, and converted from the cache's type, once for all of them: registers
// hold the sums of kTile (row, key) pairs, then of kTile (row, 16 elements) pairs. Scores leave the first in vectors of a few neighbouring
// positions of each row, and the softmax works on those as they are, for all rows at once.
//
// A row's numbers are a function of its positions alone. A score is summed along the head's elements in 16 lanes and across them by
// reduce_add_16, the weights in 16 classes of position and across them by halves, the values in order of position; the chunk's own
// maximum, sum and weighted values are formed from nothing and then joined to the running ones. Which rows share a tile, and whether keys
// and values were converted before or in registers (which is exact), changes no bit.
#include "backends/cpu/kernels/functions.h"
#include "backends/cpu/kernels/math.h"

namespace motley::cpu::MOTLEY_ISA {
namespace {

#if defined(__AVX512F__) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTile = 16;  // beside the sums 4 keys or values and a query or weight
#elif (defined(__AVX2__) || defined(__ARM_NEON)) && !defined(MOTLEY_ISA_GENERIC)
constexpr int kTile = 4;  // of two or four registers each
#else
constexpr int kTile = 2;
#endif
constexpr int kMaxRows = 4;

constexpr int smaller(int a, int b) { return a < b ? a : b; }
constexpr int larger(int a, int b) { return a > b ? a : b; }

// 16 elements of a cache's row from element e on.
template <CacheType kType>
MOTLEY_INLINE F elements(const std::byte* row, int64_t e) {
  if constexpr (kType == kCacheF32) {
    return load(reinterpret_cast<const float*>(row) + e);
  } else if constexpr (kType == kCacheF16) {
    return load_f16(reinterpret_cast<const uint16_t*>(row) + e);
  } else if constexpr (kType == kCacheBf16) {
    return load_bf16(reinterpret_cast<const uint16_t*>(row) + e);
  } else {
    const std::byte* block = row + e / 32 * 34;  // a 16-bit scale and 32 levels
    return mul(load_s8(reinterpret_cast<const uint8_t*>(block + 2 + e % 32)), set_f16(reinterpret_cast<const uint16_t*>(block)));
  }
}

// The last n of a row, the other lanes zero.
template <CacheType kType>
MOTLEY_INLINE F last_elements(const std::byte* row, int64_t e, int n) {
  alignas(64) std::byte rest[64] = {};
  constexpr int kBytes = kType == kCacheF32 ? 4 : 2;  // rows of Q8_0 are whole blocks and have no rest
  memcpy(rest, row + kBytes * e, static_cast<size_t>(kBytes * n));
  return elements<kType>(rest, 0);
}

template <CacheType kType>
void to_float(float* out, const std::byte* x, int64_t n) {
  int64_t e = 0;
  for (; e + 16 <= n; e += 16) store(out + e, elements<kType>(x, e));
  if (int rest = static_cast<int>(n - e); rest > 0) store_part(out + e, last_elements<kType>(x, e, rest), rest);
}

// ---- a tile of rows

// Lanes of the vectors of scores: [slots][keys] of rows and neighbouring positions, the last slot unused with three rows.
constexpr int slots_of(int rows) { return rows == 3 ? 4 : rows; }
constexpr int keys_of(int rows) { return 16 / slots_of(rows); }

struct RowTile {
  const AttendChunk& c;
  int first;  // row
  int begin[kMaxRows] = {}, end[kMaxRows] = {};
  int all_begin, all_end;  // positions that some row has
  float* score;            // [positions / keys][slots][keys], whole groups of 16 positions around these; then weights
  float old_scale[kMaxRows] = {}, new_scale[kMaxRows] = {};
};

MOTLEY_INLINE int first_of(const RowTile& t) { return t.all_begin / 16 * 16; }
MOTLEY_INLINE int last_of(const RowTile& t) { return (t.all_end + 15) / 16 * 16; }

// Asks for a run of the next chunk, at the same run of this one: a burst of all of them would fill the queue of requests and stop the
// loads of this chunk. Into the second-level cache: two chunks are more than the first holds, and it was a third slower.
MOTLEY_INLINE void ask(const std::byte* run, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(run + i, 0, 2);
}

// dot[r * stride + i]: the products of kRows queries with kKeys keys of a run, not yet summed over lanes.
template <CacheType kType, int kRows, int kKeys>
MOTLEY_INLINE void dots(const float* q, int64_t d, const std::byte* key, int64_t key_bytes, F* dot, int stride) {
  F s[kRows][kKeys];
  const std::byte* k[kKeys];
  for (int i = 0; i < kKeys; ++i) k[i] = key + i * key_bytes;
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kKeys; ++i) s[r][i] = zero();
  int64_t e = 0;
  for (; e + 16 <= d; e += 16) {
    F x[kKeys];
    for (int i = 0; i < kKeys; ++i) x[i] = elements<kType>(k[i], e);
    for (int r = 0; r < kRows; ++r) {
      F y = load(q + r * d + e);
      for (int i = 0; i < kKeys; ++i) s[r][i] = fma(y, x[i], s[r][i]);
    }
  }
  if (int rest = static_cast<int>(d - e); rest > 0) {
    F x[kKeys];
    for (int i = 0; i < kKeys; ++i) x[i] = last_elements<kType>(k[i], e, rest);
    for (int r = 0; r < kRows; ++r) {
      F y = load_part(q + r * d + e, rest);
      for (int i = 0; i < kKeys; ++i) s[r][i] = fma(y, x[i], s[r][i]);
    }
  }
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kKeys; ++i) dot[r * stride + i] = s[r][i];
}

// Those of a vector of scores, from position j on.
template <int kRows>
MOTLEY_INLINE F biases(const RowTile& t, int j) {
  constexpr int kVector = keys_of(kRows);
  alignas(64) float lane[16] = {};
  for (int r = 0; r < kRows; ++r) memcpy(lane + r * kVector, t.c.bias + (t.first + r) * kAttendChunk + j, kVector * sizeof(float));
  return load(lane);
}

template <CacheType kType, int kRows>
void scores(RowTile& t) {
  constexpr int kVector = keys_of(kRows), kTogether = smaller(kRows, kTile == 16 ? 4 : kTile / 2), kKeys = smaller(4, kTile / slots_of(kTogether));
  constexpr int kPaired = kRows / kTogether * kTogether;
  const AttendChunk& c = t.c;
  const float* q = c.q + t.first * c.d;
  for (int j = first_of(t); j < last_of(t); j += kVector) {
    F dot[16];
    for (int i = 0; i < kVector; i += kKeys) {
      const std::byte* key = c.k[(j + i) / kAttendRun] + i % kAttendRun * c.k_bytes;
      for (int r = 0; r < kPaired; r += kTogether) dots<kType, kTogether, kKeys>(q + r * c.d, c.d, key, c.k_bytes, dot + r * kVector + i, kVector);
      if constexpr (kPaired < kRows)
        dots<kType, kRows - kPaired, kKeys>(q + kPaired * c.d, c.d, key, c.k_bytes, dot + kPaired * kVector + i, kVector);
    }
    for (int i = kRows * kVector; i < 16; ++i) dot[i] = zero();
    if (t.first == 0 && c.next_k)
      for (int i = 0; i < kVector; i += kAttendRun) ask(c.next_k[(j + i) / kAttendRun], kAttendRun * c.k_bytes);
    F s = reduce_add_16(dot);
    if (c.softcap > 0) s = mul(set(c.softcap), tanh(div(s, set(c.softcap))));
    if (c.bias) s = add(s, biases<kRows>(t, j));
    store(t.score + j / kVector * 16, s);
  }
}

// Over the lanes of each row, by halves: one order for every number of slots.
template <int kKeys, class Function>
MOTLEY_INLINE void fold_rows(F x, int rows, float* out, Function f) {
  float lane[16];
  store(lane, x);
  for (int r = 0; r < rows; ++r) {
    float* row = lane + r * kKeys;
    for (int half = kKeys / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) row[i] = f(row[i], row[i + half]);
    out[r] = row[0];
  }
}

// A row's entries of one vector-sized array: out[lane] = x[row of the lane].
template <int kKeys>
MOTLEY_INLINE F of_rows(const float* x) {
  float lane[16];
  for (int i = 0; i < 16; ++i) lane[i] = x[i / kKeys];
  return load(lane);
}

// Scores become weights, and the running maximum and sum take the chunk in.
template <int kRows>
MOTLEY_INLINE void soften(RowTile& t) {
  constexpr int kSlots = slots_of(kRows), kKeys = keys_of(kRows);
  int first = first_of(t), last = last_of(t);
  for (int r = 0; r < kRows; ++r) {
    float* row = t.score + r * kKeys;
    for (int j = first; j < t.begin[r]; ++j) row[j / kKeys * 16 + j % kKeys] = -INFINITY;
    for (int j = larger(first, t.end[r]); j < last; ++j) row[j / kKeys * 16 + j % kKeys] = -INFINITY;
  }
  F top = set(-INFINITY);
  for (int j = first; j < last; j += kKeys) top = max(top, load(t.score + j * kSlots));
  float peak[kMaxRows] = {}, sum[kMaxRows], shift[kMaxRows] = {};
  fold_rows<kKeys>(top, kRows, peak, [](float a, float b) { return a > b ? a : b; });
  for (int r = 0; r < kRows; ++r) shift[r] = peak[r] == -INFINITY ? 0 : peak[r];  // -inf - -inf would be no number

  F by = of_rows<kKeys>(shift), part[kSlots];
  for (F& p : part) p = zero();
  for (int j = first; j < last; j += 16)
    for (int i = 0; i < kSlots; ++i) {
      float* at = t.score + j * kSlots + 16 * i;
      F weight = exp_below_zero(sub(load(at), by));
      store(at, weight);
      part[i] = add(part[i], weight);
    }
  for (int half = kSlots / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) part[i] = add(part[i], part[i + half]);
  fold_rows<kKeys>(part[0], kRows, sum, [](float a, float b) { return a + b; });

  // Both sides are brought to the larger maximum. exp of vectors, so that all lanes of all sets round alike.
  float scale[16] = {};
  for (int r = 0; r < kRows; ++r) {
    float old = t.c.state.max[t.first + r], joined = peak[r] > old ? peak[r] : old, to = joined == -INFINITY ? 0 : joined;
    scale[r] = old - to, scale[kMaxRows + r] = shift[r] - to;
    peak[r] = joined;
  }
  store(scale, exp_below_zero(load(scale)));
  for (int r = 0; r < kRows; ++r) {
    t.old_scale[r] = scale[r], t.new_scale[r] = scale[kMaxRows + r];
    if (t.begin[r] == t.end[r]) continue;
    t.c.state.max[t.first + r] = peak[r];
    t.c.state.sum[t.first + r] = t.c.state.sum[t.first + r] * t.old_scale[r] + sum[r] * t.new_scale[r];
  }
}

// The weighted sum over positions of kWide vectors (or the first n elements) from element e on, joined to the running one.
template <CacheType kType, int kRows, int kWide, bool kPart>
MOTLEY_INLINE void weighted(const RowTile& t, int64_t e, int n, bool ask_next) {
  constexpr int kKeys = keys_of(kRows);
  const AttendChunk& c = t.c;
  F s[kRows][kWide];
  for (int r = 0; r < kRows; ++r)
    for (int i = 0; i < kWide; ++i) s[r][i] = zero();
  auto value = [&](int j, int i) __attribute__((always_inline)) {
    const std::byte* row = c.v[j / kAttendRun] + j % kAttendRun * c.v_bytes;
    return kPart ? last_elements<kType>(row, e, n) : elements<kType>(row, e + 16 * i);
  };
  int from = t.all_begin, to = t.all_end;  // positions that all rows have
  for (int r = 0; r < kRows; ++r) from = larger(from, t.begin[r]), to = smaller(to, t.end[r]);
  for (int j = t.all_begin; j < t.all_end;) {
    const float* weight = t.score + j / kKeys * 16 + j % kKeys;
    if (j % kAttendRun == 0 && j >= from && j + kAttendRun <= to) {
      if (ask_next) ask(c.next_v[j / kAttendRun], kAttendRun * c.v_bytes);
      for (int p = 0; p < kAttendRun; ++p) {
        F x[kWide];
        for (int i = 0; i < kWide; ++i) x[i] = value(j + p, i);
        for (int r = 0; r < kRows; ++r) {
          F w = set(weight[r * kKeys + p]);
          for (int i = 0; i < kWide; ++i) s[r][i] = fma(w, x[i], s[r][i]);
        }
      }
      j += kAttendRun;
      continue;
    }
    // A weight of zero would not do for the others, since zero times infinity is no number.
    for (int i = 0; i < kWide; ++i) {
      F x = value(j, i);
      for (int r = 0; r < kRows; ++r)
        if (j >= t.begin[r] && j < t.end[r]) s[r][i] = fma(set(weight[r * kKeys]), x, s[r][i]);
    }
    ++j;
  }
  for (int r = 0; r < kRows; ++r) {
    if (t.begin[r] == t.end[r]) continue;
    float* out = c.state.out + (t.first + r) * c.dv + e;
    F old_scale = set(t.old_scale[r]), new_scale = set(t.new_scale[r]);
    for (int i = 0; i < kWide; ++i) {
      if constexpr (kPart)
        store_part(out, fma(s[r][0], new_scale, mul(load_part(out, n), old_scale)), n);
      else
        store(out + 16 * i, fma(s[r][i], new_scale, mul(load(out + 16 * i), old_scale)));
    }
  }
}

template <CacheType kType, int kRows>
void values(RowTile& t) {
  constexpr int kWide = smaller(4, kTile / slots_of(kRows) > 0 ? kTile / slots_of(kRows) : 1);
  int64_t dv = t.c.dv, e = 0;
  bool ask_next = t.first == 0 && t.c.next_v;
  for (; e + 16 * kWide <= dv; e += 16 * kWide) weighted<kType, kRows, kWide, false>(t, e, 16, ask_next && e == 0);
  if constexpr (kWide > 1)
    for (; e + 16 <= dv; e += 16) weighted<kType, kRows, 1, false>(t, e, 16, ask_next && e == 0);
  if (e < dv) weighted<kType, kRows, 1, true>(t, e, static_cast<int>(dv - e), ask_next && e == 0);
}

using TileFunction = void (*)(RowTile&);
template <CacheType kType>
constexpr TileFunction kScoresOf[] = {scores<kType, 1>, scores<kType, 2>, scores<kType, 3>, scores<kType, 4>};
template <CacheType kType>
constexpr TileFunction kValuesOf[] = {values<kType, 1>, values<kType, 2>, values<kType, 3>, values<kType, 4>};
constexpr const TileFunction* kScores[] = {kScoresOf<kCacheF32>, kScoresOf<kCacheF16>, kScoresOf<kCacheBf16>, kScoresOf<kCacheQ8>};
constexpr const TileFunction* kValues[] = {kValuesOf<kCacheF32>, kValuesOf<kCacheF16>, kValuesOf<kCacheBf16>, kValuesOf<kCacheQ8>};
constexpr TileFunction kSoften[] = {soften<1>, soften<2>, soften<3>, soften<4>};

void join(const AttendState& total, const AttendState& part, int rows, int64_t dv) {
  for (int r = 0; r < rows; ++r) {
    float *to = total.out + r * dv, *from = part.out + r * dv;
    if (part.sum[r] == 0) continue;  // the row saw nothing there
    if (total.sum[r] == 0) {
      total.max[r] = part.max[r], total.sum[r] = part.sum[r];
      memcpy(to, from, static_cast<size_t>(dv) * sizeof(float));
      continue;
    }
    float max = part.max[r] > total.max[r] ? part.max[r] : total.max[r], scale[16] = {total.max[r] - max, part.max[r] - max};
    store(scale, exp_below_zero(load(scale)));
    total.max[r] = max;
    total.sum[r] = total.sum[r] * scale[0] + part.sum[r] * scale[1];
    F old_scale = set(scale[0]), new_scale = set(scale[1]);
    for (int64_t e = 0; e < dv; e += 16) store_n(to + e, fma(load_n(from + e, dv - e), new_scale, mul(load_n(to + e, dv - e), old_scale)), dv - e);
  }
}

void attend(const AttendChunk& c) {
  for (int first = 0; first < c.rows; first += kMaxRows) {
    int rows = smaller(kMaxRows, c.rows - first);
    alignas(64) float score[kMaxRows * kAttendChunk];
    RowTile t{.c = c, .first = first, .all_begin = kAttendChunk, .all_end = 0, .score = score};
    for (int r = 0; r < rows; ++r) {
      bool empty = c.begin[first + r] >= c.end[first + r];
      t.begin[r] = empty ? 0 : c.begin[first + r], t.end[r] = empty ? 0 : c.end[first + r];
      if (empty) continue;
      t.all_begin = smaller(t.all_begin, t.begin[r]), t.all_end = larger(t.all_end, t.end[r]);
    }
    if (t.all_begin >= t.all_end) continue;
    kScores[c.k_type][rows - 1](t);
    kSoften[rows - 1](t);
    kValues[c.v_type][rows - 1](t);
  }
}

}  // namespace

void fill_attention(KernelTable& t) {
  t.attend = attend;
  t.attend_join = join;
  t.cache_to_float[kCacheF32] = to_float<kCacheF32>;
  t.cache_to_float[kCacheF16] = to_float<kCacheF16>;
  t.cache_to_float[kCacheBf16] = to_float<kCacheBf16>;
  t.cache_to_float[kCacheQ8] = to_float<kCacheQ8>;
}

}  // namespace motley::cpu::MOTLEY_ISA
