// The 12 bytes in which Q4_K and Q5_K keep 8 scales and 8 minima of 6 bits:
//
//   byte j     (0..3): scale j,     and above it the two high bits of scale j + 4
//   byte j + 4 (0..3): minimum j,   and above it the two high bits of minimum j + 4
//   byte j + 8 (0..3): the four low bits of scale j + 4, and above them those of minimum j + 4
#pragma once
#include <cstdint>

namespace motley {

inline void read_k_scales(const uint8_t* bytes, uint8_t* scale, uint8_t* min) {
  for (int j = 0; j < 4; ++j) {
    scale[j] = bytes[j] & 63;
    min[j] = bytes[j + 4] & 63;
    scale[j + 4] = static_cast<uint8_t>((bytes[j + 8] & 15) | (bytes[j] >> 6 << 4));
    min[j + 4] = static_cast<uint8_t>((bytes[j + 8] >> 4) | (bytes[j + 4] >> 6 << 4));
  }
}

inline void write_k_scales(const uint8_t* scale, const uint8_t* min, uint8_t* bytes) {
  for (int j = 0; j < 4; ++j) {
    bytes[j] = static_cast<uint8_t>(scale[j] | (scale[j + 4] >> 4 << 6));
    bytes[j + 4] = static_cast<uint8_t>(min[j] | (min[j + 4] >> 4 << 6));
    bytes[j + 8] = static_cast<uint8_t>((scale[j + 4] & 15) | ((min[j + 4] & 15) << 4));
  }
}

}  // namespace motley
