// The storage formats of weights and KV pages, by their Dtype: plain floats and the block formats of GGUF files. One file per format holds
// its bit layout, unpacking, packing (round to nearest) and the exact reference product with quantised activations; format.cpp is the table.
//
//   const Format& f = format(Dtype::q4_k);
//   f.pack(x, bytes, n);                         // n a multiple of info(dtype).block
//   f.unpack(bytes, y, n);
//   double dot = f.dot(bytes, quantise_activations(x).view(), n);
//
// Promises of every block format:
// - the bytes are those of a GGUF file, and blocks start at even addresses;
// - unpack gives, bit for bit, scale * q - min with the products of the stored numbers in float (they are exact);
// - pack takes any floats: NaN packs as 0, magnitudes above 65504 (infinity included) as 65504, since a block's scale is a 16-bit float; a block
//   of zeros unpacks to zeros; the same floats give the same bytes on every machine. How ties round is said by each format.
// Plain formats keep NaN and infinity; f16 and bf16 round to nearest, ties to even.
#pragma once
#include <cstdint>

#include "quant/activation_format.h"
#include "quant/activation_row.h"
#include "tensor/dtype.h"

namespace motley {

struct Format {
  Dtype dtype;
  int group;  // elements that share a scale: 32 or 16; 0 for plain formats
  void (*unpack)(const void* blocks, float* out, int64_t n);
  void (*pack)(const float* x, void* blocks, int64_t n);

  // Block formats only, null for plain ones: the reference of a product with q8_32 activations.
  double (*dot)(const void* blocks, const ActivationRow& a, int64_t n) = nullptr;
};

// f32, f16, bf16 and all block formats; anything else is a mistake of the caller.
const Format& format(Dtype dtype);

// The activation format a product with such a weight uses unless told otherwise.
constexpr ActivationFormat default_activation(Dtype weight) { return weight >= Dtype::q8_0 ? ActivationFormat::q8_32 : ActivationFormat::f32; }

}  // namespace motley
