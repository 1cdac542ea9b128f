// simd.h in plain C++ with the compiler's four-float vectors: the baseline of every processor, and what the other sets are tested against.
#pragma once

namespace motley::cpu::MOTLEY_ISA {

typedef float Quad __attribute__((vector_size(16)));
typedef int32_t QuadInt __attribute__((vector_size(16)));
typedef uint64_t PairBits __attribute__((vector_size(16)));

struct F {
  Quad q[4];
};
struct I {
  QuadInt q[4];
};
struct B {
  uint64_t w[8];
};

#define MOTLEY_EACH for (int i = 0; i < 4; ++i)

MOTLEY_INLINE F set(float x) {
  Quad q = {x, x, x, x};
  return {{q, q, q, q}};
}
MOTLEY_INLINE F zero() { return set(0.0f); }
MOTLEY_INLINE F load(const float* p) {
  F r;
  memcpy(&r, p, sizeof r);
  return r;
}
MOTLEY_INLINE void store(float* p, F x) { memcpy(p, &x, sizeof x); }
MOTLEY_INLINE F load_part(const float* p, int n) {
  float t[16] = {};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return load(t);
}
MOTLEY_INLINE void store_part(float* p, F x, int n) {
  float t[16];
  store(t, x);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
MOTLEY_INLINE F add(F a, F b) {
  MOTLEY_EACH a.q[i] += b.q[i];
  return a;
}
MOTLEY_INLINE F sub(F a, F b) {
  MOTLEY_EACH a.q[i] -= b.q[i];
  return a;
}
MOTLEY_INLINE F mul(F a, F b) {
  MOTLEY_EACH a.q[i] *= b.q[i];
  return a;
}
MOTLEY_INLINE F div(F a, F b) {
  MOTLEY_EACH a.q[i] /= b.q[i];
  return a;
}
MOTLEY_INLINE F fma(F a, F b, F c) {
  MOTLEY_EACH c.q[i] += a.q[i] * b.q[i];
  return c;
}  // rounded twice: no instruction to rely on
MOTLEY_INLINE QuadInt bits(Quad q) { return reinterpret_cast<QuadInt>(q); }
MOTLEY_INLINE Quad floats(QuadInt q) { return reinterpret_cast<Quad>(q); }
MOTLEY_INLINE Quad choose(QuadInt mask, Quad yes, Quad no) { return floats((mask & bits(yes)) | (~mask & bits(no))); }
MOTLEY_INLINE F select_less(F a, F b, F yes, F no) {
  MOTLEY_EACH no.q[i] = choose(a.q[i] < b.q[i], yes.q[i], no.q[i]);
  return no;
}
MOTLEY_INLINE F select_nan(F a, F yes, F no) {
  MOTLEY_EACH no.q[i] = choose(a.q[i] != a.q[i], yes.q[i], no.q[i]);
  return no;
}
MOTLEY_INLINE F max(F a, F b) { return select_less(b, a, a, b); }
MOTLEY_INLINE F min(F a, F b) { return select_less(a, b, a, b); }
MOTLEY_INLINE F sqrt(F a) {
  MOTLEY_EACH for (int j = 0; j < 4; ++j) a.q[i][j] = __builtin_sqrtf(a.q[i][j]);
  return a;
}
constexpr int32_t kSignBit = static_cast<int32_t>(0x80000000u);
MOTLEY_INLINE F neg_sign(F a) {
  MOTLEY_EACH a.q[i] = floats(bits(a.q[i]) ^ kSignBit);
  return a;
}
MOTLEY_INLINE F abs(F a) {
  MOTLEY_EACH a.q[i] = floats(bits(a.q[i]) & ~kSignBit);
  return a;
}
MOTLEY_INLINE F copy_sign(F a, F s) {
  MOTLEY_EACH a.q[i] = floats((bits(a.q[i]) & ~kSignBit) | (bits(s.q[i]) & kSignBit));
  return a;
}

// Adding 1.5 * 2^23 leaves no bits after the point, rounded to nearest even; exact for |x| < 2^22.
MOTLEY_INLINE F round(F a) { return sub(add(a, set(12582912.0f)), set(12582912.0f)); }
MOTLEY_INLINE I to_int(F a) {
  I r;
  MOTLEY_EACH for (int j = 0; j < 4; ++j) r.q[i][j] = static_cast<int32_t>(round(a).q[i][j]);
  return r;
}
MOTLEY_INLINE F to_float(I a) {
  F r;
  MOTLEY_EACH for (int j = 0; j < 4; ++j) r.q[i][j] = static_cast<float>(a.q[i][j]);
  return r;
}
MOTLEY_INLINE F scale_by_power(F x, F n) {
  I e = to_int(n);
  MOTLEY_EACH x.q[i] *= floats((e.q[i] + 127) << 23);
  return x;
}

MOTLEY_INLINE float reduce_add(F a) {
  Quad s = (a.q[0] + a.q[2]) + (a.q[1] + a.q[3]);
  return (s[0] + s[2]) + (s[1] + s[3]);
}
MOTLEY_INLINE float reduce_max(F a) {
  float m = a.q[0][0];
  MOTLEY_EACH for (int j = 0; j < 4; ++j) m = a.q[i][j] > m ? a.q[i][j] : m;
  return m;
}

MOTLEY_INLINE float half_to_float(uint16_t h) {
  // Shifted into a float's place the exponent is too small by 112; multiplying by 2^112 mends it, for subnormals too.
  uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16, rest = h & 0x7FFFu;
  uint32_t shifted = rest << 13;
  float f;
  memcpy(&f, &shifted, 4);
  f *= 0x1.0p112f;
  uint32_t u;
  memcpy(&u, &f, 4);
  if (rest >= 0x7C00u) u = 0x7F800000u | (rest & 0x3FFu) << 13;  // infinity and NaN
  u |= sign;
  memcpy(&f, &u, 4);
  return f;
}
MOTLEY_INLINE F load_f16(const uint16_t* p) {
  float t[16];
  for (int i = 0; i < 16; ++i) t[i] = half_to_float(p[i]);
  return load(t);
}
MOTLEY_INLINE F set_f16(const uint16_t* p) { return set(half_to_float(*p)); }
MOTLEY_INLINE F load_bf16(const uint16_t* p) {
  uint32_t t[16];
  for (int i = 0; i < 16; ++i) t[i] = static_cast<uint32_t>(p[i]) << 16;
  F r;
  memcpy(&r, t, sizeof r);
  return r;
}
MOTLEY_INLINE F load_u8(const uint8_t* p) {
  float t[16];
  for (int i = 0; i < 16; ++i) t[i] = static_cast<float>(p[i]);
  return load(t);
}
MOTLEY_INLINE F load_s8(const uint8_t* p) {
  float t[16];
  for (int i = 0; i < 16; ++i) t[i] = static_cast<float>(static_cast<int8_t>(p[i]));
  return load(t);
}

MOTLEY_INLINE I set_int(int32_t x) {
  QuadInt q = {x, x, x, x};
  return {{q, q, q, q}};
}
MOTLEY_INLINE I add(I a, I b) {
  MOTLEY_EACH a.q[i] += b.q[i];
  return a;
}
MOTLEY_INLINE int32_t reduce_add_int(I a) {
  QuadInt s = a.q[0] + a.q[1] + a.q[2] + a.q[3];
  return s[0] + s[1] + s[2] + s[3];
}
MOTLEY_INLINE void store_bytes_of(int8_t* p, I x) { MOTLEY_EACH for (int j = 0; j < 4; ++j) p[4 * i + j] = static_cast<int8_t>(x.q[i][j]); }

MOTLEY_INLINE B load_bytes(const uint8_t* p) {
  B r;
  memcpy(&r, p, sizeof r);
  return r;
}
template <int j>
MOTLEY_INLINE I byte_of(B x) {
  uint32_t lane[16];
  memcpy(lane, &x, sizeof lane);
  I r;
  for (int i = 0; i < 16; ++i) r.q[i / 4][i % 4] = static_cast<int32_t>(lane[i] >> (8 * j) & 255);
  return r;
}
MOTLEY_INLINE B splat4(const int8_t* p) {
  uint32_t x;
  memcpy(&x, p, 4);
  B r;
  for (uint64_t& w : r.w) w = x | static_cast<uint64_t>(x) << 32;
  return r;
}
constexpr uint64_t kEveryByte = 0x0101010101010101u;
template <int kShift>
MOTLEY_INLINE B bits_of(B x, uint8_t mask) {
  for (uint64_t& w : x.w) w = (w >> kShift) & (kEveryByte * mask);
  return x;
}
template <int kShift>
MOTLEY_INLINE B or_shifted(B x, B high) {
  for (int i = 0; i < 8; ++i) x.w[i] |= high.w[i] << kShift;
  return x;
}
struct H {
  int16_t v[32];
};
constexpr bool kPairSums = true;
MOTLEY_INLINE H pair_sums(B w, B a) {
  uint8_t wb[64];
  int8_t ab[64];
  memcpy(wb, &w, 64);
  memcpy(ab, &a, 64);
  H r;
  for (int i = 0; i < 32; ++i) r.v[i] = static_cast<int16_t>(wb[2 * i] * ab[2 * i] + wb[2 * i + 1] * ab[2 * i + 1]);
  return r;
}
MOTLEY_INLINE H add(H x, H y) {
  for (int i = 0; i < 32; ++i) x.v[i] = static_cast<int16_t>(x.v[i] + y.v[i]);
  return x;
}
MOTLEY_INLINE I add_pairs(I acc, H x) {
  MOTLEY_EACH for (int j = 0; j < 4; ++j) acc.q[i][j] += x.v[8 * i + 2 * j] + x.v[8 * i + 2 * j + 1];
  return acc;
}
[[maybe_unused]] static __attribute__((noinline)) I dot_minus(I acc, const B& w, const B& a, int bias) {
  uint8_t wb[64];
  int8_t ab[64];
  memcpy(wb, &w, 64);
  memcpy(ab, &a, 64);
  MOTLEY_EACH for (int j = 0; j < 4; ++j) {
    int at = 16 * i + 4 * j;
    acc.q[i][j] += (wb[at] - bias) * ab[at] + (wb[at + 1] - bias) * ab[at + 1] + (wb[at + 2] - bias) * ab[at + 2] + (wb[at + 3] - bias) * ab[at + 3];
  }
  return acc;
}
MOTLEY_INLINE I dot(I acc, B w, B a) { return dot_minus(acc, w, a, 0); }
constexpr int kWideBias = 0;
MOTLEY_INLINE I dot_wide(I acc, B w, B a) { return dot_minus(acc, w, a, 128); }

MOTLEY_INLINE F reduce_add_16(const F v[16]) {
  float t[16];
  for (int i = 0; i < 16; ++i) t[i] = reduce_add(v[i]);
  return load(t);
}

#undef MOTLEY_EACH

}  // namespace motley::cpu::MOTLEY_ISA
