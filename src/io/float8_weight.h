// One weight of 8-bit floats (F8_E4M3 or F8_E5M2) with scales: one for all, one for each output, or one for each block of the matrix,
//
//   w[output, input] = float8 * scale
//
// whether the files call them weight_scale or weight_scale_inv.
//
//   auto weight = convert_float8(stored, numbers, scales);      // Error(file) when the scales do not fit
#pragma once
#include <memory>
#include <string_view>

#include "io/converted_tensor.h"
#include "io/quantisation_config.h"
#include "io/tensor_part.h"

namespace motley {

bool is_float8(const SafetensorsTensor& tensor);

// The number that 8 bits mean. E4M3 has no infinity.
float float8_e4m3(uint8_t bits);
float float8_e5m2(uint8_t bits);

// scales: none for numbers that mean themselves.
std::shared_ptr<const ConvertedTensor> convert_float8(const StoredQuantisation& stored, const TensorPart& numbers, const TensorPart& scales);

}  // namespace motley
