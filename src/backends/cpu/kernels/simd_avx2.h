// simd.h for AVX2 with FMA and F16C: two registers per logical vector.
#pragma once
#include <immintrin.h>

namespace motley::cpu::MOTLEY_ISA {

struct F {
  __m256 a, b;
};
struct I {
  __m256i a, b;
};
struct B {
  __m256i a, b;
};

MOTLEY_INLINE F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
MOTLEY_INLINE F set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
MOTLEY_INLINE F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
MOTLEY_INLINE void store(float* p, F x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
MOTLEY_INLINE __m256i first_lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
MOTLEY_INLINE F load_part(const float* p, int n) {
  return {_mm256_maskload_ps(p, first_lanes(n)), n > 8 ? _mm256_maskload_ps(p + 8, first_lanes(n - 8)) : _mm256_setzero_ps()};
}
MOTLEY_INLINE void store_part(float* p, F x, int n) {
  _mm256_maskstore_ps(p, first_lanes(n), x.a);
  if (n > 8) _mm256_maskstore_ps(p + 8, first_lanes(n - 8), x.b);
}
MOTLEY_INLINE F add(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
MOTLEY_INLINE F sub(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
MOTLEY_INLINE F mul(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
MOTLEY_INLINE F div(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
MOTLEY_INLINE F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
MOTLEY_INLINE F max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
MOTLEY_INLINE F min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
MOTLEY_INLINE F sqrt(F x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
MOTLEY_INLINE F neg_sign(F x) {
  __m256 s = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(x.a, s), _mm256_xor_ps(x.b, s)};
}
MOTLEY_INLINE F abs(F x) {
  __m256 s = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(s, x.a), _mm256_andnot_ps(s, x.b)};
}
MOTLEY_INLINE F copy_sign(F magnitude, F sign) {
  __m256 s = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(s, magnitude.a), _mm256_and_ps(s, sign.a)),
          _mm256_or_ps(_mm256_andnot_ps(s, magnitude.b), _mm256_and_ps(s, sign.b))};
}
MOTLEY_INLINE F select_less(F x, F y, F yes, F no) {
  return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)), _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
}
MOTLEY_INLINE F select_nan(F x, F yes, F no) {
  return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q)), _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q))};
}
MOTLEY_INLINE F round(F x) {
  return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
MOTLEY_INLINE __m256 power_of_two(__m256 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
MOTLEY_INLINE F scale_by_power(F x, F n) { return {_mm256_mul_ps(x.a, power_of_two(n.a)), _mm256_mul_ps(x.b, power_of_two(n.b))}; }

MOTLEY_INLINE float reduce_add(F x) {
  __m256 h = _mm256_add_ps(x.a, x.b);
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
MOTLEY_INLINE float reduce_max(F x) {
  __m256 h = _mm256_max_ps(x.a, x.b);
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

MOTLEY_INLINE __m128i half_register(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
MOTLEY_INLINE F load_f16(const uint16_t* p) { return {_mm256_cvtph_ps(half_register(p)), _mm256_cvtph_ps(half_register(p + 8))}; }
MOTLEY_INLINE F set_f16(const uint16_t* p) {
  __m256 x = _mm256_cvtph_ps(_mm_set1_epi16(static_cast<int16_t>(*p)));
  return {x, x};
}
MOTLEY_INLINE F load_bf16(const uint16_t* p) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half_register(p)), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half_register(p + 8)), 16))};
}
MOTLEY_INLINE F load_u8(const uint8_t* p) {
  __m128i x = half_register(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(x)), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(x, 8)))};
}
MOTLEY_INLINE F load_s8(const uint8_t* p) {
  __m128i x = half_register(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)))};
}

MOTLEY_INLINE I set_int(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
MOTLEY_INLINE I add(I a, I b) { return {_mm256_add_epi32(a.a, b.a), _mm256_add_epi32(a.b, b.b)}; }
MOTLEY_INLINE F to_float(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
MOTLEY_INLINE I to_int(F x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
MOTLEY_INLINE int32_t reduce_add_int(I x) {
  __m256i h = _mm256_add_epi32(x.a, x.b);
  __m128i q = _mm_add_epi32(_mm256_castsi256_si128(h), _mm256_extracti128_si256(h, 1));
  q = _mm_add_epi32(q, _mm_unpackhi_epi64(q, q));
  return _mm_cvtsi128_si32(_mm_add_epi32(q, _mm_shuffle_epi32(q, 1)));
}
MOTLEY_INLINE void store_bytes_of(int8_t* p, I x) {
  __m128i low = _mm_packs_epi32(_mm256_castsi256_si128(x.a), _mm256_extracti128_si256(x.a, 1));
  __m128i high = _mm_packs_epi32(_mm256_castsi256_si128(x.b), _mm256_extracti128_si256(x.b, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(low, high));
}

MOTLEY_INLINE B load_bytes(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
template <int j>
MOTLEY_INLINE I byte_of(B x) {
  __m256i m = _mm256_set1_epi32(255);
  return {_mm256_and_si256(_mm256_srli_epi32(x.a, 8 * j), m), _mm256_and_si256(_mm256_srli_epi32(x.b, 8 * j), m)};
}
MOTLEY_INLINE B splat4(const int8_t* p) {
  int32_t x;
  memcpy(&x, p, 4);
  __m256i v = _mm256_set1_epi32(x);
  return {v, v};
}
template <int kShift>
MOTLEY_INLINE B bits_of(B x, uint8_t mask) {
  __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
  return {_mm256_and_si256(kShift ? _mm256_srli_epi16(x.a, kShift) : x.a, m), _mm256_and_si256(kShift ? _mm256_srli_epi16(x.b, kShift) : x.b, m)};
}
template <int kShift>
MOTLEY_INLINE B or_shifted(B x, B high) {
  return {_mm256_or_si256(x.a, _mm256_slli_epi16(high.a, kShift)), _mm256_or_si256(x.b, _mm256_slli_epi16(high.b, kShift))};
}

struct H {
  __m256i a, b;
};
constexpr bool kPairSums = true;
MOTLEY_INLINE H pair_sums(B w, B a) { return {_mm256_maddubs_epi16(w.a, a.a), _mm256_maddubs_epi16(w.b, a.b)}; }
MOTLEY_INLINE H add(H x, H y) { return {_mm256_add_epi16(x.a, y.a), _mm256_add_epi16(x.b, y.b)}; }
MOTLEY_INLINE I add_pairs(I acc, H x) {
  __m256i one = _mm256_set1_epi16(1);
  return {_mm256_add_epi32(acc.a, _mm256_madd_epi16(x.a, one)), _mm256_add_epi32(acc.b, _mm256_madd_epi16(x.b, one))};
}
MOTLEY_INLINE I dot(I acc, B w, B a) { return add_pairs(acc, pair_sums(w, a)); }
constexpr int kWideBias = 0;
MOTLEY_INLINE I dot_wide(I acc, B w, B a) {
  // |w - 128| * (a with its sign): at most 2 * 128 * 127 per pair, which the 16-bit sum holds.
  __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));
  __m256i x = _mm256_xor_si256(w.a, flip), y = _mm256_xor_si256(w.b, flip);
  return dot(acc, {_mm256_abs_epi8(x), _mm256_abs_epi8(y)}, {_mm256_sign_epi8(a.a, x), _mm256_sign_epi8(a.b, y)});
}

MOTLEY_INLINE __m256 reduce_add_8(const F v[8]) {
  __m256 a[4], b[2];
  for (int i = 0; i < 4; ++i) {  // lower half: v[i], upper half: v[i + 4]
    __m256 x = _mm256_add_ps(v[i].a, v[i].b), y = _mm256_add_ps(v[i + 4].a, v[i + 4].b);
    a[i] = _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
  }
  for (int i = 0; i < 2; ++i) b[i] = _mm256_add_ps(_mm256_unpacklo_ps(a[i], a[i + 2]), _mm256_unpackhi_ps(a[i], a[i + 2]));
  return _mm256_add_ps(_mm256_unpacklo_ps(b[0], b[1]), _mm256_unpackhi_ps(b[0], b[1]));
}
MOTLEY_INLINE F reduce_add_16(const F v[16]) { return {reduce_add_8(v), reduce_add_8(v + 8)}; }

}  // namespace motley::cpu::MOTLEY_ISA
