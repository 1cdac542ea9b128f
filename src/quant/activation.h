// The activation formats of a quantised product (an attribute of the product, quant/activation_format.h), down to the bit: every device
// turns a row of activations into the same whole numbers, so that all form the same integer dot products with a weight's levels.
//
// q8_32, for each 32 elements x (all arithmetic IEEE float, one rounding per operation, no fused multiply-add):
//   amax  = max |x|
//   scale = amax * (1/127 rounded to float)
//   q     = round(x * (127 / amax)), ties to even                    in -127..127
// If amax < 2^-100, scale and q are 0. If any x is NaN or infinite, scale is NaN and q is 0: the product's result becomes NaN, as it would
// in float, instead of a number that hides the fault.
//
// A row of n elements (a multiple of 32) is laid out for kernels: int8 q[n], then float scale[n / 32], then int16 sum[n / 16], the sums of 16
// consecutive q, for formats with a minimum or with an offset that the kernel subtracts afterwards; then padding to 64 bytes.
//
//   QuantisedRow a = quantise_activations(x);
//   double y = format(Dtype::q4_k).dot(weight_row, a.view(), n);
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/activation_format.h"
#include "quant/activation_row.h"

namespace motley {

const char* name(ActivationFormat format);  // "f32", "q8_32"

// x[n] into a q8_32 row at `row`, which is aligned to 4 bytes. n is a multiple of 32.
void quantise_activations(const float* x, void* row, int64_t n);

class QuantisedRow {
 public:
  ActivationRow view() const { return activation_row(bytes_.data(), n_); }
  int64_t size() const { return n_; }

 private:
  friend QuantisedRow quantise_activations(std::span<const float> x);
  int64_t n_ = 0;
  std::vector<std::byte> bytes_;
};

QuantisedRow quantise_activations(std::span<const float> x);

}  // namespace motley
