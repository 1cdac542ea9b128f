// A product of activation rows with one or two weights, as product.cpp's parts hand it to each other.
#pragma once
#include <cstddef>
#include <cstdint>

#include "backends/cpu/epilogue.h"
#include "ir/op.h"
#include "tensor/dtype.h"

namespace motley::cpu {

struct Weight {
  const std::byte* data = nullptr;
  Dtype dtype = Dtype::f32;
  bool packed = false;       // in panels (layout.h)
  bool columns = false;      // plain and stored [K, N]
  int64_t expert_bytes = 0;  // from one expert's matrix to the next
};

struct Product {
  bool quantised = false;  // activations q8_32
  bool columns = false;
  int num_weights = 1;  // 2: out = glu(x w0', x w1')
  Activation glu = Activation::silu;
  const float* x = nullptr;
  int64_t k = 0, n = 0;
  Weight weights[2] = {};
  float* out = nullptr;                // [rows, n]
  const Epilogue* epilogue = nullptr;  // null: none
};

}  // namespace motley::cpu
