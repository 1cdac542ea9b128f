// From a graph's states to the bytes of a checkpoint. A state is supplied by a whole tensor in most cases, by many stacked along the
// expert axis, or by rows of a larger one; nothing else is ever done to weights on the way (their order is a matter of attributes,
// config.h).
//
//   WeightMap weights(config, checkpoint);
//   Builder b(limits, weights.types());        // weights, config and checkpoint outlive what uses them
//   ...
//   Tensor w = weights.load("model.layers.0.self_attn.q_proj.weight");
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "nn/config.h"
#include "ops/builder.h"

namespace motley {

// Rows first_row .. first_row + rows of a tensor, all its axes but the last taken as one.
struct WeightPiece {
  std::string tensor;
  int64_t first_row = 0, rows = 0;
  bool operator==(const WeightPiece&) const = default;
};

struct WeightParts {  // of one state
  Type type;
  std::vector<WeightPiece> pieces;  // laid one after the other they are the state
  bool whole = true;                // one tensor, all of it: it can be used where it lies
};

class WeightMap {
 public:
  WeightMap(const ModelConfig& config, const Checkpoint& checkpoint) : config_(config), checkpoint_(checkpoint) {}

  // Nothing when the checkpoint has no such state. Error(file) when tensors that belong together disagree, or one is of a type that this
  // program does not compute with.
  std::optional<WeightParts> find(const std::string& state) const;
  WeightTypes types() const;
  const std::string& path() const { return checkpoint_.path(); }

  // The state's bytes in plain layout: on the mapping where they lie in one piece, otherwise copied. Error(file) when absent.
  Tensor load(const std::string& state) const;
  // Copies; to has the state's size.
  void read(const std::string& state, std::span<std::byte> to) const;
  // Copies a part that begins at a byte of the state, where load() borrows the mapping; otherwise does nothing and returns false.
  bool read_part(const std::string& state, uint64_t from_byte, std::span<std::byte> to) const;
  // The pages of its tensors are no longer needed.
  void drop(const std::string& state) const;

 private:
  std::optional<WeightParts> find_one(const std::string& tensor) const;
  std::optional<WeightParts> find_experts(const std::string& state) const;
  WeightParts require(const std::string& state) const;

  const ModelConfig& config_;
  const Checkpoint& checkpoint_;
};

}  // namespace motley
