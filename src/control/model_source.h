// Where a session's model comes from: its configuration and its weights by state name, whether they lie in a checkpoint or are made up for
// a measurement.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "io/checkpoint.h"
#include "nn/config.h"
#include "ops/builder.h"

namespace motley {

struct ModelSource {
  std::string name;  // for messages: a path, or the name of a shape
  ModelConfig config;
  WeightTypes types;
  std::function<Tensor(const std::string& state)> load;                         // plain layout; may borrow a mapping
  std::function<void(const std::string& state, std::span<std::byte> to)> read;  // the same bytes, copied
  std::function<void(const std::string& state)> drop;                           // its source pages are no longer needed
};

// The model of a checkpoint, for sessions whose sequences have at most `context` tokens (0: as many as the model allows). Some models
// choose their rotary factors by it.
ModelSource model_from_checkpoint(std::shared_ptr<const Checkpoint> checkpoint, int64_t context = 0);

// A model of the given shape with random weights in `type` (norms and biases in f32), the same for the same seed. Blocks of a quantised
// type are drawn directly, since quantising a billion numbers would take longer than measuring.
ModelSource random_model(const std::string& name, const ModelConfig& config, Dtype type, uint64_t seed);

}  // namespace motley
