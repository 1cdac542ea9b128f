// simd.h for 64-bit Arm: four registers per logical vector; sdot where it is compiled for.
#pragma once
#include <arm_neon.h>

namespace motley::cpu::MOTLEY_ISA {

struct F {
  float32x4_t q[4];
};
struct I {
  int32x4_t q[4];
};
struct B {
  uint8x16_t q[4];
};

#define MOTLEY_EACH for (int i = 0; i < 4; ++i)

MOTLEY_INLINE F set(float x) {
  float32x4_t q = vdupq_n_f32(x);
  return {{q, q, q, q}};
}
MOTLEY_INLINE F zero() { return set(0.0f); }
MOTLEY_INLINE F load(const float* p) { return {{vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}}; }
MOTLEY_INLINE void store(float* p, F x) { MOTLEY_EACH vst1q_f32(p + 4 * i, x.q[i]); }
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
  MOTLEY_EACH a.q[i] = vaddq_f32(a.q[i], b.q[i]);
  return a;
}
MOTLEY_INLINE F sub(F a, F b) {
  MOTLEY_EACH a.q[i] = vsubq_f32(a.q[i], b.q[i]);
  return a;
}
MOTLEY_INLINE F mul(F a, F b) {
  MOTLEY_EACH a.q[i] = vmulq_f32(a.q[i], b.q[i]);
  return a;
}
MOTLEY_INLINE F div(F a, F b) {
  MOTLEY_EACH a.q[i] = vdivq_f32(a.q[i], b.q[i]);
  return a;
}
MOTLEY_INLINE F fma(F a, F b, F c) {
  MOTLEY_EACH c.q[i] = vfmaq_f32(c.q[i], a.q[i], b.q[i]);
  return c;
}
MOTLEY_INLINE F select_less(F a, F b, F yes, F no) {
  MOTLEY_EACH no.q[i] = vbslq_f32(vcltq_f32(a.q[i], b.q[i]), yes.q[i], no.q[i]);
  return no;
}
MOTLEY_INLINE F select_nan(F a, F yes, F no) {
  MOTLEY_EACH no.q[i] = vbslq_f32(vceqq_f32(a.q[i], a.q[i]), no.q[i], yes.q[i]);
  return no;
}
MOTLEY_INLINE F max(F a, F b) { return select_less(b, a, a, b); }  // as on x86: b where either is NaN
MOTLEY_INLINE F min(F a, F b) { return select_less(a, b, a, b); }
MOTLEY_INLINE F sqrt(F a) {
  MOTLEY_EACH a.q[i] = vsqrtq_f32(a.q[i]);
  return a;
}
MOTLEY_INLINE F neg_sign(F a) {
  MOTLEY_EACH a.q[i] = vnegq_f32(a.q[i]);
  return a;
}
MOTLEY_INLINE F abs(F a) {
  MOTLEY_EACH a.q[i] = vabsq_f32(a.q[i]);
  return a;
}
MOTLEY_INLINE F copy_sign(F magnitude, F sign) {
  MOTLEY_EACH magnitude.q[i] = vbslq_f32(vdupq_n_u32(0x80000000u), sign.q[i], magnitude.q[i]);
  return magnitude;
}
MOTLEY_INLINE F round(F a) {
  MOTLEY_EACH a.q[i] = vrndnq_f32(a.q[i]);
  return a;
}
MOTLEY_INLINE I to_int(F a) {
  I r;
  MOTLEY_EACH r.q[i] = vcvtnq_s32_f32(a.q[i]);
  return r;
}
MOTLEY_INLINE F to_float(I a) {
  F r;
  MOTLEY_EACH r.q[i] = vcvtq_f32_s32(a.q[i]);
  return r;
}
MOTLEY_INLINE F scale_by_power(F x, F n) {
  I e = to_int(n);
  MOTLEY_EACH x.q[i] = vmulq_f32(x.q[i], vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(e.q[i], vdupq_n_s32(127)), 23)));
  return x;
}

MOTLEY_INLINE float reduce_add(F a) {
  float32x4_t s = vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
  float32x2_t h = vadd_f32(vget_low_f32(s), vget_high_f32(s));
  return vget_lane_f32(h, 0) + vget_lane_f32(h, 1);
}
MOTLEY_INLINE float reduce_max(F a) {
  F m = a;
  m.q[0] = vbslq_f32(vcltq_f32(m.q[0], a.q[1]), a.q[1], m.q[0]);
  m.q[2] = vbslq_f32(vcltq_f32(m.q[2], a.q[3]), a.q[3], m.q[2]);
  m.q[0] = vbslq_f32(vcltq_f32(m.q[0], m.q[2]), m.q[2], m.q[0]);
  float t[4], r;
  vst1q_f32(t, m.q[0]);
  r = t[0];
  for (float x : t) r = x > r ? x : r;
  return r;
}

MOTLEY_INLINE F load_f16(const uint16_t* p) {
  F r;
  MOTLEY_EACH r.q[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
  return r;
}
MOTLEY_INLINE F set_f16(const uint16_t* p) {
  float32x4_t q = vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(*p)));
  return {{q, q, q, q}};
}
MOTLEY_INLINE F load_bf16(const uint16_t* p) {
  F r;
  MOTLEY_EACH r.q[i] = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16));
  return r;
}
MOTLEY_INLINE F load_u8(const uint8_t* p) {
  uint8x16_t x = vld1q_u8(p);
  uint16x8_t low = vmovl_u8(vget_low_u8(x)), high = vmovl_u8(vget_high_u8(x));
  return {{vcvtq_f32_u32(vmovl_u16(vget_low_u16(low))), vcvtq_f32_u32(vmovl_u16(vget_high_u16(low))), vcvtq_f32_u32(vmovl_u16(vget_low_u16(high))),
           vcvtq_f32_u32(vmovl_u16(vget_high_u16(high)))}};
}
MOTLEY_INLINE F load_s8(const uint8_t* p) {
  int8x16_t x = vreinterpretq_s8_u8(vld1q_u8(p));
  int16x8_t low = vmovl_s8(vget_low_s8(x)), high = vmovl_s8(vget_high_s8(x));
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))), vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
           vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))}};
}

MOTLEY_INLINE I set_int(int32_t x) {
  int32x4_t q = vdupq_n_s32(x);
  return {{q, q, q, q}};
}
MOTLEY_INLINE I add(I a, I b) {
  MOTLEY_EACH a.q[i] = vaddq_s32(a.q[i], b.q[i]);
  return a;
}
MOTLEY_INLINE int32_t reduce_add_int(I a) { return vaddvq_s32(vaddq_s32(vaddq_s32(a.q[0], a.q[1]), vaddq_s32(a.q[2], a.q[3]))); }
MOTLEY_INLINE void store_bytes_of(int8_t* p, I x) {
  int16x8_t low = vcombine_s16(vmovn_s32(x.q[0]), vmovn_s32(x.q[1])), high = vcombine_s16(vmovn_s32(x.q[2]), vmovn_s32(x.q[3]));
  vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

MOTLEY_INLINE B load_bytes(const uint8_t* p) { return {{vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}}; }
template <int j>
MOTLEY_INLINE I byte_of(B x) {
  I r;
  MOTLEY_EACH r.q[i] = vreinterpretq_s32_u32(vandq_u32(vshlq_u32(vreinterpretq_u32_u8(x.q[i]), vdupq_n_s32(-8 * j)), vdupq_n_u32(255)));
  return r;
}
MOTLEY_INLINE B splat4(const int8_t* p) {
  uint32_t x;
  memcpy(&x, p, 4);
  uint8x16_t q = vreinterpretq_u8_u32(vdupq_n_u32(x));
  return {{q, q, q, q}};
}
template <int kShift>
MOTLEY_INLINE B bits_of(B x, uint8_t mask) {
  MOTLEY_EACH {
    if constexpr (kShift > 0) x.q[i] = vshrq_n_u8(x.q[i], kShift);
    x.q[i] = vandq_u8(x.q[i], vdupq_n_u8(mask));
  }
  return x;
}
template <int kShift>
MOTLEY_INLINE B or_shifted(B x, B high) {
  MOTLEY_EACH x.q[i] = vorrq_u8(x.q[i], vshlq_n_u8(high.q[i], kShift));
  return x;
}

struct H {
  int16x8_t q[4];
};
#ifdef __ARM_FEATURE_DOTPROD
constexpr bool kPairSums = false;
#else
constexpr bool kPairSums = true;
#endif
MOTLEY_INLINE H pair_sums(B w, B a) {
  H r;
  MOTLEY_EACH {
    int8x16_t x = vreinterpretq_s8_u8(w.q[i]), y = vreinterpretq_s8_u8(a.q[i]);
    r.q[i] = vpaddq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(y)), vmull_s8(vget_high_s8(x), vget_high_s8(y)));
  }
  return r;
}
MOTLEY_INLINE H add(H x, H y) {
  MOTLEY_EACH x.q[i] = vaddq_s16(x.q[i], y.q[i]);
  return x;
}
MOTLEY_INLINE I add_pairs(I acc, H x) {
  MOTLEY_EACH acc.q[i] = vpadalq_s16(acc.q[i], x.q[i]);
  return acc;
}

MOTLEY_INLINE int32x4_t dot_register(int32x4_t acc, int8x16_t w, int8x16_t a) {
#ifdef __ARM_FEATURE_DOTPROD
  return vdotq_s32(acc, w, a);
#else
  int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a)), high = vmull_s8(vget_high_s8(w), vget_high_s8(a));
  return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}
MOTLEY_INLINE I dot(I acc, B w, B a) {
  MOTLEY_EACH acc.q[i] = dot_register(acc.q[i], vreinterpretq_s8_u8(w.q[i]), vreinterpretq_s8_u8(a.q[i]));
  return acc;
}
constexpr int kWideBias = 0;
MOTLEY_INLINE I dot_wide(I acc, B w, B a) {
  MOTLEY_EACH acc.q[i] = dot_register(acc.q[i], vreinterpretq_s8_u8(veorq_u8(w.q[i], vdupq_n_u8(0x80))), vreinterpretq_s8_u8(a.q[i]));
  return acc;
}

MOTLEY_INLINE F reduce_add_16(const F v[16]) {
  float32x4_t s[16];
  for (int i = 0; i < 16; ++i) s[i] = vaddq_f32(vaddq_f32(v[i].q[0], v[i].q[2]), vaddq_f32(v[i].q[1], v[i].q[3]));
  F r;
  MOTLEY_EACH r.q[i] = vpaddq_f32(vpaddq_f32(s[4 * i], s[4 * i + 1]), vpaddq_f32(s[4 * i + 2], s[4 * i + 3]));
  return r;
}

#undef MOTLEY_EACH

}  // namespace motley::cpu::MOTLEY_ISA
