// The weights that a model begins to learn from, where no checkpoint has them: a fresh model made from its config.json, or a new head.
//
//   for (const NamedType& w : model_weights(config)) states[w.name] = initial_weight(config, w.name, w.type, seed);
//
// Every element is a function of seed, name and place (Philox), so neither order nor threads matter. Transformers: N(0, 0.02), in decoders the
// matrices that add to the residual stream divided by sqrt(2 layers) (Radford et al. 2019); norms 1, biases 0. Small classifiers: as PyTorch
// begins its layers, recurrences in +-1/sqrt(U), convolutions and dense layers in +-1/sqrt(inputs), but embeddings N(0, 0.1).
#pragma once
#include <cstdint>
#include <string>

#include "ir/type.h"
#include "nn/config.h"
#include "tensor/tensor.h"

namespace motley {

// type: f32, f16 or bf16.
Tensor initial_weight(const ModelConfig& config, const std::string& state, const Type& type, uint64_t seed);

}  // namespace motley
