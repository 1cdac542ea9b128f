// Weights of Hugging Face folders that lie in several tensors each: FP8 numbers beside their scales, and the packed words, scales and zero
// points of AWQ and GPTQ. What belongs together is found by name, its shapes are checked against each other, and from then on it is one
// weight [outputs, inputs] that reads as a type which products are computed with:
//
//   levels that a block type holds    GPTQ with zero points in the middle: q4_0 (q8_0 for 8 bits); other 4-bit ones and AWQ: q5_0. The scale is
//                                     taken over; only one that is no 16-bit float is rounded
//   all others                        q8_0, packed anew: GPTQ whose groups are not in order, FP8
//   rows that are not whole blocks    f16
//
// 8 bits per weight keep what 8-bit floats say: on normal numbers FP8 is off by 2.65 % of their size, and after q8_0 by 2.70 %.
//
//   for (AssembledWeight& w : assemble_weights(read_quantisation(config, path), files)) w.how->read(bytes);
//
// Error(file) naming the tensor whose type or shape does not fit the others'. The files outlive the weights.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/converted_tensor.h"
#include "io/quantisation_config.h"
#include "io/safetensors.h"
#include "tensor/tensor.h"

namespace motley {

struct AssembledWeight {
  std::string name;                     // "model.layers.0.mlp.up_proj.weight"
  std::string_view type_name;           // "F8_E4M3", "AWQ-4", "GPTQ-8"
  Shape shape;                          // [outputs, inputs]
  uint64_t stored_bytes;                // of all its parts
  std::vector<std::string_view> parts;  // the tensors it is made of; the first stands for it in lists
  std::shared_ptr<const ConvertedTensor> how;
};

std::vector<AssembledWeight> assemble_weights(const StoredQuantisation& stored, std::span<const SafetensorsFile> files);

}  // namespace motley
