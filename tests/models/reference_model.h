// A checkpoint run by the reference interpreter.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "nn/config.h"
#include "nn/weights.h"
#include "ops/interpreter.h"
#include "text_model.h"

namespace motley {

class ReferenceModel : public TextModel {
 public:
  explicit ReferenceModel(const std::string& path, int64_t context = 0);

  void reset() override { length_ = 0; }
  std::vector<std::vector<double>> step(const std::vector<int32_t>& tokens) override;
  // Watches every node of the following steps.
  Interpreter::Observer observer;

 private:
  Checkpoint checkpoint_;
  ModelConfig config_;
  std::unique_ptr<WeightMap> weights_;
  BuildLimits limits_;
  std::unique_ptr<Interpreter> interpreter_;
  int32_t length_ = 0;
};

}  // namespace motley
