// Where the parts of a row of q8_32 activations are (quant/activation.h says what is in them). Apart from it because kernels, which are compiled
// once per instruction set, include no standard containers.
#pragma once
#include <cstddef>
#include <cstdint>

#include "quant/activation_format.h"

namespace motley {

struct ActivationRow {
  const int8_t* values;
  const float* scales;
  const int16_t* sums;
};

// Bytes of a row of n elements in a buffer of rows; a multiple of 64 for q8_32.
constexpr int64_t activation_row_bytes(ActivationFormat format, int64_t n) {
  return format == ActivationFormat::f32 ? n * 4 : (n + n / 32 * 4 + n / 16 * 2 + 63) / 64 * 64;
}

inline ActivationRow activation_row(const void* bytes, int64_t n) {
  const auto* base = static_cast<const std::byte*>(bytes);
  return {reinterpret_cast<const int8_t*>(base), reinterpret_cast<const float*>(base + n), reinterpret_cast<const int16_t*>(base + n + n / 32 * 4)};
}

}  // namespace motley
