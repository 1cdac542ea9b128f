// Where a session's model comes from: its configuration and its weights by state name, whether they lie in a checkpoint or are made up for
// a measurement.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "io/checkpoint.h"
#include "nn/config.h"
#include "ops/builder.h"
#include "quant/recipe.h"

namespace motley {

struct ModelSource {
  std::string name;  // for messages: a path, or the name of a shape
  ModelConfig config;
  WeightTypes types;
  std::function<Tensor(const std::string& state)> load;  // plain layout
  // Where load() borrows a file's mapping, whose pages may vanish: copies a part of it by reading. False where load() gave bytes of its own;
  // null where it always does. Any number of threads may call it at once.
  std::function<bool(const std::string& state, uint64_t from_byte, std::span<std::byte> to)> read_part = {};
  std::function<void(const std::string& state)> drop;  // its source pages are no longer needed
  // What is done to the graph before it is compiled; null: nothing. Sequences then begin with so many virtual tokens (StepLimits).
  std::function<Graph(const Graph& graph)> rewrite = {};
  int64_t virtual_tokens = 0;
};

// A state in memory of its own, which nobody who cuts the file short can take away.
Tensor read_state(const ModelSource& source, const std::string& state);

// The model of a checkpoint, for sessions whose sequences have at most `context` tokens (0: as many as the model allows). Some models
// choose their rotary factors by it.
ModelSource model_from_checkpoint(std::shared_ptr<const Checkpoint> checkpoint, int64_t context = 0);

// A model of the given shape with random weights, stored as the recipe says; the same for the same seed.
ModelSource random_model(const std::string& name, const ModelConfig& config, const Recipe& recipe, uint64_t seed);

// The layer a state belongs to by its name; -1 for those outside the layers.
int64_t layer_of(const std::string& state);

}  // namespace motley
