// The two 16-bit float formats as bits. Conversion from float rounds to nearest, ties to even; NaN stays NaN.
#pragma once
#include <bit>
#include <cstdint>

namespace motley {

constexpr float bf16_to_float(uint16_t h) { return std::bit_cast<float>(static_cast<uint32_t>(h) << 16); }

constexpr uint16_t float_to_bf16(float f) {
  auto u = std::bit_cast<uint32_t>(f);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((u >> 16) | 0x40);  // quiet NaN
  return static_cast<uint16_t>((u + 0x7FFFu + ((u >> 16) & 1)) >> 16);
}

constexpr float f16_to_float(uint16_t h) {
  uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = (h >> 10) & 0x1F, mantissa = h & 0x3FF;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  float magnitude = static_cast<float>(mantissa) * 0x1.0p-24f;
  return sign ? -magnitude : magnitude;
}

constexpr uint16_t float_to_f16(float f) {
  auto u = std::bit_cast<uint32_t>(f);
  auto sign = static_cast<uint16_t>((u >> 16) & 0x8000);
  uint32_t a = u & 0x7FFFFFFFu;
  if (a > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00 | ((a >> 13) & 0x1FF));
  if (a >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00);  // 65520 and more round to infinity
  if (a < 0x38800000u) {                                              // below 2^-14: subnormal, a multiple of 2^-24
    float scaled = std::bit_cast<float>(a) + 0.5f;                    // 0.5 has ulp 2^-24: the addition rounds for us
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(scaled) - 0x3F000000u));
  }
  return static_cast<uint16_t>(sign | ((a - 0x38000000u + 0xFFFu + ((a >> 13) & 1)) >> 13));
}

}  // namespace motley
