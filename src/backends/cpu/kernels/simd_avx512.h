// simd.h for AVX-512 (F, BW, DQ, VL), and VNNI where it is compiled for.
#pragma once
#include <immintrin.h>

namespace motley::cpu::MOTLEY_ISA {

struct F {
  __m512 v;
};
struct I {
  __m512i v;
};
struct B {
  __m512i v;
};

MOTLEY_INLINE F zero() { return {_mm512_setzero_ps()}; }
MOTLEY_INLINE F set(float x) { return {_mm512_set1_ps(x)}; }
MOTLEY_INLINE F load(const float* p) { return {_mm512_loadu_ps(p)}; }
MOTLEY_INLINE void store(float* p, F x) { _mm512_storeu_ps(p, x.v); }
MOTLEY_INLINE __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }
MOTLEY_INLINE F load_part(const float* p, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n), p)}; }
MOTLEY_INLINE void store_part(float* p, F x, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), x.v); }
MOTLEY_INLINE F add(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
MOTLEY_INLINE F sub(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
MOTLEY_INLINE F mul(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
MOTLEY_INLINE F div(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
MOTLEY_INLINE F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
MOTLEY_INLINE F max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }  // b where either is NaN
MOTLEY_INLINE F min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
MOTLEY_INLINE F sqrt(F a) { return {_mm512_sqrt_ps(a.v)}; }
MOTLEY_INLINE F neg_sign(F a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
MOTLEY_INLINE F abs(F a) { return {_mm512_abs_ps(a.v)}; }
MOTLEY_INLINE F copy_sign(F magnitude, F sign) { return {_mm512_or_ps(_mm512_abs_ps(magnitude.v), _mm512_and_ps(sign.v, _mm512_set1_ps(-0.0f)))}; }
MOTLEY_INLINE F select_less(F a, F b, F yes, F no) { return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)}; }
MOTLEY_INLINE F select_nan(F a, F yes, F no) { return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), no.v, yes.v)}; }

// Nearest integer, ties to even.
MOTLEY_INLINE F round(F a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// x * 2^n for integral n in [-126, 127].
MOTLEY_INLINE F scale_by_power(F x, F n) {
  __m512i bits = _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23);
  return {_mm512_mul_ps(x.v, _mm512_castsi512_ps(bits))};
}

MOTLEY_INLINE float reduce_add(F a) {
  __m256 h = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_add_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_add_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
MOTLEY_INLINE float reduce_max(F a) {
  __m256 h = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 q = _mm_max_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));
  q = _mm_max_ps(q, _mm_movehl_ps(q, q));
  return _mm_cvtss_f32(_mm_max_ss(q, _mm_movehdup_ps(q)));
}

MOTLEY_INLINE F load_f16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
MOTLEY_INLINE F set_f16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_set1_epi16(static_cast<int16_t>(*p)))}; }
MOTLEY_INLINE F load_bf16(const uint16_t* p) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16))};
}
MOTLEY_INLINE F load_u8(const uint8_t* p) { return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))}; }
MOTLEY_INLINE F load_s8(const uint8_t* p) { return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))}; }

MOTLEY_INLINE I set_int(int32_t x) { return {_mm512_set1_epi32(x)}; }
MOTLEY_INLINE I add(I a, I b) { return {_mm512_add_epi32(a.v, b.v)}; }
MOTLEY_INLINE F to_float(I x) { return {_mm512_cvtepi32_ps(x.v)}; }
MOTLEY_INLINE I to_int(F x) { return {_mm512_cvtps_epi32(x.v)}; }
MOTLEY_INLINE int32_t reduce_add_int(I x) { return _mm512_reduce_add_epi32(x.v); }
// The low byte of each lane, which must be in [-128, 127].
MOTLEY_INLINE void store_bytes_of(int8_t* p, I x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x.v)); }

MOTLEY_INLINE B load_bytes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
template <int j>
MOTLEY_INLINE I byte_of(B x) {  // byte j of each lane
  return {_mm512_and_si512(_mm512_srli_epi32(x.v, 8 * j), _mm512_set1_epi32(255))};
}
MOTLEY_INLINE B splat4(const int8_t* p) {
  int32_t x;
  memcpy(&x, p, 4);
  return {_mm512_set1_epi32(x)};
}
template <int kShift>
MOTLEY_INLINE B bits_of(B x, uint8_t mask) {  // (x >> kShift) & mask
  return {_mm512_and_si512(kShift ? _mm512_srli_epi16(x.v, kShift) : x.v, _mm512_set1_epi8(static_cast<char>(mask)))};
}
template <int kShift>
MOTLEY_INLINE B or_shifted(B x, B high) {  // x | (high << kShift), without carry into the next byte
  return {_mm512_or_si512(x.v, _mm512_slli_epi16(high.v, kShift))};
}

// Halves of a dot product in 16 bits, for sets whose multiply-add of bytes ends there: their sums may be added before they are widened.
struct H {
  __m512i v;
};
MOTLEY_INLINE H pair_sums(B w, B a) { return {_mm512_maddubs_epi16(w.v, a.v)}; }
MOTLEY_INLINE H add(H a, H b) { return {_mm512_add_epi16(a.v, b.v)}; }
MOTLEY_INLINE I add_pairs(I acc, H x) { return {_mm512_add_epi32(acc.v, _mm512_madd_epi16(x.v, _mm512_set1_epi16(1)))}; }

// Lane i of the result is acc plus the sum over j of w[4i+j] * a[4i+j]; w is unsigned and at most 127 here, a is signed and not -128.
#ifdef __AVX512VNNI__
constexpr bool kPairSums = false;
MOTLEY_INLINE I dot(I acc, B w, B a) { return {_mm512_dpbusd_epi32(acc.v, w.v, a.v)}; }
// The same for w of the whole range that stands for w - 128; kWideBias of it is left to the caller.
constexpr int kWideBias = 128;
MOTLEY_INLINE I dot_wide(I acc, B w, B a) { return {_mm512_dpbusd_epi32(acc.v, w.v, a.v)}; }
#else
constexpr bool kPairSums = true;
MOTLEY_INLINE I dot(I acc, B w, B a) { return add_pairs(acc, pair_sums(w, a)); }
constexpr int kWideBias = 0;
MOTLEY_INLINE I dot_wide(I acc, B w, B a) {
  // |w - 128| * (a with its sign): at most 2 * 128 * 127 per pair, which the 16-bit sum holds.
  __m512i s = _mm512_xor_si512(w.v, _mm512_set1_epi8(static_cast<char>(0x80)));
  __m512i signed_a = _mm512_mask_sub_epi8(a.v, _mm512_movepi8_mask(s), _mm512_setzero_si512(), a.v);
  return dot(acc, {_mm512_abs_epi8(s)}, {signed_a});
}
#endif

// Lane i of the result is the sum of the lanes of v[i]. Each step adds the halves of two vectors' pieces and leaves both in one. Of what is
// moved one half is blended, since a blend may run on any port and a shuffle, in competition with multiply-adds, only on two.
MOTLEY_INLINE F reduce_add_16(const F v[16]) {
  __m512 a[8], b[4], c[2];
  for (int i = 0; i < 8; ++i)  // i, i + 8
    a[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xFF00, v[i].v, v[i + 8].v), _mm512_shuffle_f32x4(v[i].v, v[i + 8].v, 0x4E));
  for (int i = 0; i < 4; ++i) {  // i, i + 4, i + 8, i + 12
    __m512 rest = _mm512_mask_blend_ps(0xF0F0, a[i + 4], a[i]);
    b[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xF0F0, a[i], a[i + 4]), _mm512_shuffle_f32x4(rest, rest, 0xB1));
  }
  for (int i = 0; i < 2; ++i) c[i] = _mm512_add_ps(_mm512_mask_blend_ps(0xCCCC, b[i], b[i + 2]), _mm512_shuffle_ps(b[i], b[i + 2], 0x4E));
  __m512 rest = _mm512_mask_blend_ps(0xAAAA, c[1], c[0]);
  return {_mm512_add_ps(_mm512_mask_blend_ps(0xAAAA, c[0], c[1]), _mm512_permute_ps(rest, 0xB1))};
}

}  // namespace motley::cpu::MOTLEY_ISA
