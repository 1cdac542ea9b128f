// Reading packed block formats: 32 k of one strip as eight vectors of bytes (v[g]: elements 4g .. 4g+3 of 16 columns) with the scales and
// minima of the 16 columns. Everything unrolls from the format's BlockSpec.
#pragma once
#include "backends/cpu/kernels/panel.h"
#include "backends/cpu/kernels/simd.h"

namespace motley::cpu::MOTLEY_ISA {

template <int kFormat>
struct Blocks {
  static constexpr int kIndex = kFormat;
  static constexpr BlockSpec kSpec = kBlockSpecs[kFormat];
  static constexpr int kParts = kSpec.block / 32;
  static constexpr int kHalves = kSpec.sub == 16 ? 2 : 1;  // scales per 32 elements
  static constexpr bool kWide = kSpec.low_bits == 8;
  // What the caller must subtract from a dot product for each unit of the activations' sum.
  static constexpr int kBias = kWide ? kWideBias : kSpec.bias;
  static constexpr int kStored = kSpec.low_bits;  // stored vectors of the low section: 8, 4 or 2

  // Vector g of 32 elements.
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

  // One strip of a part.
  MOTLEY_INLINE void load_stored(const uint8_t* strip, B* low, B* high) {
    for (int i = 0; i < kStored; ++i) low[i] = load_bytes(strip + 64 * i);
    for (int i = 0; i < kSpec.high_bits; ++i) high[i] = load_bytes(strip + low_bytes(kSpec) + 64 * i);
  }

  // Asks for `bytes` that a product reads `ahead` bytes later (ReadAhead).
  MOTLEY_INLINE void ask_ahead(const uint8_t* p, int64_t bytes, int64_t ahead) {
    if (ahead > 0)
      for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + ahead + i, 0, 2);
  }

  MOTLEY_INLINE I dot_of(I acc, B w, B a) { return kWide ? dot_wide(acc, w, a) : dot(acc, w, a); }

  // The floats of a wide block's head: the scales themselves, or what the sub-blocks' bytes are multiplied by.
  struct Head {
    F d[kStrips], dmin[kStrips];
  };
  MOTLEY_INLINE void read_head(const uint8_t* head, Head& h) {
    const auto* d = reinterpret_cast<const uint16_t*>(head);
    for (int s = 0; s < kStrips; ++s) {
      h.d[s] = load_f16(d + kStripColumns * s);
      if constexpr (kSpec.has_min) h.dmin[s] = load_f16(d + kPanelColumns + kStripColumns * s);
    }
  }

  // The scales of each half of one strip of a part, and the minima.
  MOTLEY_INLINE void scales(const Head& h, const uint8_t* part, int strip, F scale[kHalves], F min[kHalves]) {
    if constexpr (kSpec.block == 32) {
      scale[0] = h.d[strip];
      if constexpr (kSpec.has_min) min[0] = h.dmin[strip];
    } else {
      for (int half = 0; half < kHalves; ++half) {
        const uint8_t* at = part + kPanelColumns * half + kStripColumns * strip;
        F bytes = kSpec.signed_scale ? load_s8(at) : load_u8(at);
        if constexpr (kSpec.nibble_scale) {
          F high = round(fma(bytes, set(1.0f / 16), set(-0.46875f)));  // floor(bytes / 16): exact
          scale[half] = mul(h.d[strip], fma(high, set(-16.0f), bytes));
          min[half] = mul(h.dmin[strip], high);
        } else {
          scale[half] = mul(h.d[strip], bytes);
          if constexpr (kSpec.has_min) min[half] = mul(h.dmin[strip], load_u8(at + mins_at(kSpec)));
        }
      }
    }
  }
};

}  // namespace motley::cpu::MOTLEY_ISA
