// Blocks written from whole numbers and a scale that are known already: what another format stores is taken over as it is, where packing
// floats anew would choose another scale and round a second time.
//
//   write_q5_0(q, scale, block);     // 32 elements: x = scale * q, q in -16..15
//
// The scale becomes a 16-bit float: exact for those that were one, else off by at most 2^-11 of itself (2^-25 below 2^-14), and at most 65504.
#pragma once
#include <cstdint>

#include "tensor/dtype.h"

namespace motley {

void write_q8_0(const int8_t* q, float scale, void* block);
void write_q5_0(const int8_t* q, float scale, void* block);  // q in -16..15
void write_q4_0(const int8_t* q, float scale, void* block);  // q in -8..7
// 256 elements in groups of 16, each with a scale of its own beside the common one; q in -32..31.
void write_q6_k(const int8_t* q, const int8_t* scales, float scale, void* block);

// The one of the first three for this type.
using WriteLevels = void (*)(const int8_t* q, float scale, void* block);
WriteLevels level_writer(Dtype dtype);

}  // namespace motley
