// Reading packed block formats: 32 k of one panel as eight vectors of bytes (v[g]: elements 4g .. 4g+3 of 16 columns) with the scales and
// minima of the 16 columns. Everything unrolls from the format's BlockSpec.
#pragma once
#include "backends/cpu/kernels/panel.h"
#include "backends/cpu/kernels/simd.h"

namespace motley::cpu::MOTLEY_ISA {

template <int kFormat>
struct Blocks {
  static constexpr BlockSpec kSpec = kBlockSpecs[kFormat];
  static constexpr int kHalves = kSpec.sub == 16 ? 2 : 1;  // scales per 32 elements
  static constexpr bool kWide = kSpec.low_bits == 8;
  // What the caller must subtract from a dot product for each unit of the activations' sum.
  static constexpr int kBias = kWide ? kWideBias : kSpec.bias;
  static constexpr int kStored = kSpec.low_bits;  // stored vectors of the low section: 8, 4 or 2

  // Vector g of the block.
  template <int g>
  MOTLEY_INLINE B vector(const B* low, const B* high) {
    constexpr int kShift = g / kStored * kSpec.low_bits;
    B v = kWide ? low[g % kStored] : bits_of<kShift>(low[g % kStored], (1 << kSpec.low_bits) - 1);
    if constexpr (kSpec.high_bits > 0) {
      constexpr int kHighShift = g / kSpec.high_bits * kSpec.high_bits;
      v = or_shifted<kSpec.low_bits>(v, bits_of<kHighShift>(high[g % kSpec.high_bits], (1 << kSpec.high_bits) - 1));
    }
    return v;
  }

  // f(integral_constant-like index g, vector) for g = 0 .. 7. One loaded vector at a time stays in registers.
  MOTLEY_INLINE void load_stored(const Panel& w, int64_t block, B* low, B* high) {
    for (int i = 0; i < kStored; ++i) low[i] = load_bytes(w.low + block * low_bytes(kSpec) + 64 * i);
    for (int i = 0; i < kSpec.high_bits; ++i) high[i] = load_bytes(w.high + block * high_bytes(kSpec) + 64 * i);
  }

  MOTLEY_INLINE I dot_of(I acc, B w, B a) { return kWide ? dot_wide(acc, w, a) : dot(acc, w, a); }

  // The scales of each half of block `block`, and the minima.
  MOTLEY_INLINE void scales(const Panel& w, int64_t block, F scale[kHalves], F min[kHalves]) {
    if constexpr (kSpec.block == 32) {
      const auto* s = reinterpret_cast<const uint16_t*>(w.scale + block * scale_bytes(kSpec));
      scale[0] = load_f16(s);
      if constexpr (kSpec.has_min) min[0] = load_f16(s + 16);
    } else {
      const uint8_t* base = w.scale + block / 8 * scale_bytes(kSpec);
      F d = load_f16(reinterpret_cast<const uint16_t*>(base));
      const uint8_t* bytes = base + (kSpec.has_min ? 64 : 32);
      for (int h = 0; h < kHalves; ++h) {
        const uint8_t* at = bytes + 16 * (block % 8 * kHalves + h);
        if constexpr (kSpec.nibble_scale) {
          F dmin = load_f16(reinterpret_cast<const uint16_t*>(base + 32));
          F both = load_u8(at), high = round(fma(both, set(1.0f / 16), set(-0.46875f)));  // floor(both / 16): exact
          scale[h] = mul(d, fma(high, set(-16.0f), both));
          min[h] = mul(dmin, high);
        } else if constexpr (kSpec.has_min) {
          F dmin = load_f16(reinterpret_cast<const uint16_t*>(base + 32));
          scale[h] = mul(d, load_u8(at));
          min[h] = mul(dmin, load_u8(at + 16 * (kSpec.block / kSpec.sub)));
        } else {
          scale[h] = mul(d, kSpec.signed_scale ? load_s8(at) : load_u8(at));
        }
      }
    }
  }
};

}  // namespace motley::cpu::MOTLEY_ISA
