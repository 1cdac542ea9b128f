// How the activations of a product with a weight matrix are represented while it is computed. An attribute of the product (ir/op.h), set
// by the quantize pass, so that every device forms the same integer dot products (quant/activation.h defines the bytes).
#pragma once
#include <cstdint>

namespace motley {

enum class ActivationFormat : uint8_t {
  f32,    // as they are
  q8_32,  // int8 per 32 elements with one f32 scale
};

}  // namespace motley
