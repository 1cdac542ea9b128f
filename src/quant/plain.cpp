#include "quant/plain.h"

#include <cstring>

#include "tensor/half.h"

namespace motley {

void unpack_f32(const void* values, float* out, int64_t n) { std::memcpy(out, values, static_cast<size_t>(n) * sizeof(float)); }
void pack_f32(const float* x, void* values, int64_t n) { std::memcpy(values, x, static_cast<size_t>(n) * sizeof(float)); }

void unpack_f16(const void* values, float* out, int64_t n) {
  const auto* h = static_cast<const uint16_t*>(values);
  for (int64_t i = 0; i < n; ++i) out[i] = f16_to_float(h[i]);
}

void pack_f16(const float* x, void* values, int64_t n) {
  auto* h = static_cast<uint16_t*>(values);
  for (int64_t i = 0; i < n; ++i) h[i] = float_to_f16(x[i]);
}

void unpack_bf16(const void* values, float* out, int64_t n) {
  const auto* h = static_cast<const uint16_t*>(values);
  for (int64_t i = 0; i < n; ++i) out[i] = bf16_to_float(h[i]);
}

void pack_bf16(const float* x, void* values, int64_t n) {
  auto* h = static_cast<uint16_t*>(values);
  for (int64_t i = 0; i < n; ++i) h[i] = float_to_bf16(x[i]);
}

}  // namespace motley
