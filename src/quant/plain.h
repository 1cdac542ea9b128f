// Formats without blocks: f32, f16, bf16 (tensor/half.h has the rounding).
#pragma once
#include <cstdint>

namespace motley {

void unpack_f32(const void* values, float* out, int64_t n);
void pack_f32(const float* x, void* values, int64_t n);
void unpack_f16(const void* values, float* out, int64_t n);
void pack_f16(const float* x, void* values, int64_t n);
void unpack_bf16(const void* values, float* out, int64_t n);
void pack_bf16(const float* x, void* values, int64_t n);

}  // namespace motley
