// One weight of AWQ or GPTQ: whole numbers of 2, 3, 4 or 8 bits packed into 32-bit words, and for groups of inputs a scale and a zero point
// for each output,
//
//   w[output, input] = scale[group, output] * (q[input, output] - zero[group, output])
//
// In the files inputs come first, [inputs, outputs]; GPTQ packs along the inputs, AWQ along the outputs with the eight of a word in the
// order 0 2 4 6 1 3 5 7. GPTQ's g_idx says the group of each input, where they are not simply in order.
//
//   PackedShape shape = check_packed(stored, "q_proj", parts);           // Error(file) naming what does not fit
//   auto weight = convert_packed(stored, parts, shape, {.symmetric = true});
#pragma once
#include <memory>
#include <string>

#include "io/converted_tensor.h"
#include "io/quantisation_config.h"
#include "io/tensor_part.h"

namespace motley {

struct PackedParts {
  TensorPart weights, zeros, scales, groups;  // groups: none where inputs are in order
};

struct PackedShape {
  int64_t inputs = 0, outputs = 0, groups = 0, group = 0;
};
PackedShape check_packed(const StoredQuantisation& stored, const std::string& name, const PackedParts& parts);

// What all weights of a model have in common, so that the experts of a layer get one type.
struct PackedTraits {
  bool symmetric = true;  // every zero point is the middle, 2^(bits - 1)
  bool in_order = true;   // input i is in group i / group
};
// Reads zero points and groups.
PackedTraits packed_traits(const StoredQuantisation& stored, const PackedParts& parts, const PackedShape& shape);

std::shared_ptr<const ConvertedTensor> convert_packed(const StoredQuantisation& stored, const PackedParts& parts, const PackedShape& shape,
                                                      const PackedTraits& traits);

}  // namespace motley
