// A checkpoint run by the reference interpreter, one sequence at a time, as a session would run it: tokens are fed in steps and the keys
// and values of earlier steps stay in the cache.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nn/config.h"
#include "nn/families.h"
#include "nn/weights.h"
#include "ops/interpreter.h"

namespace motley {

class ReferenceModel {
 public:
  explicit ReferenceModel(const std::string& path, int64_t context = 0);

  // Starts a new sequence.
  void reset();
  // Appends tokens and returns the logits after each of them.
  std::vector<std::vector<double>> step(const std::vector<int32_t>& tokens);
  // Watches every node of the following steps.
  Interpreter::Observer observer;

  const ModelConfig& config() const { return config_; }

 private:
  Checkpoint checkpoint_;
  ModelConfig config_;
  std::unique_ptr<WeightMap> weights_;
  BuildLimits limits_;
  std::unique_ptr<Interpreter> interpreter_;
  int32_t length_ = 0;
};

// The greedy continuation of a prompt; logits of every position that was fed are appended to `logits`.
std::vector<int32_t> greedy(ReferenceModel& model, const std::vector<int32_t>& prompt, size_t steps, std::vector<std::vector<double>>& logits);

}  // namespace motley
