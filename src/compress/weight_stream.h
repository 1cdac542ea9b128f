// The weights of a model one after the other, renamed, rearranged and repacked as a plan says: what both writers of models share.
//
//   WeightStream stream(checkpoint, config, options);
//   for (const PlannedTensor& t : planned) writer.write(t.plan.name, bytes_of(stream.next(t)));
//   report = stream.report();
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compress/write_model.h"
#include "nn/convert.h"
#include "nn/weights.h"

namespace motley {

struct PlannedTensor {
  TensorPlan plan;
  Dtype type;  // as it is written
};

class WeightStream {
 public:
  WeightStream(const Checkpoint& checkpoint, const ModelConfig& config, const WriteOptions& options);
  WeightStream(const WeightStream&) = delete;  // weights_ refers to the configuration
  WeightStream& operator=(const WeightStream&) = delete;

  const WeightMap& weights() const { return weights_; }

  // Error unless the adapter of the options, if any, can be merged into what is planned, with all it holds.
  void expect_mergeable(std::span<const PlannedTensor> tensors) const;

  // The tensor as it is written. Consecutive ones from the same state (its experts) read it once.
  Tensor next(const PlannedTensor& tensor);
  // A tensor of the source that the model does not know, as it is.
  Tensor copy(const CheckpointTensor& tensor);
  void count(Dtype type, const Tensor& written, const Loss& loss);

  WriteReport report() const;

 private:
  const Tensor& state(const std::string& name);
  void advance(size_t bytes);

  const Checkpoint& checkpoint_;
  const ModelConfig& config_;
  const WriteOptions& options_;
  WeightMap weights_;
  ThreadPool pool_;
  std::string state_name_;
  Tensor state_;            // with the adapter in it
  size_t state_bytes_ = 0;  // as stored
  Dtype stored_ = Dtype::f32;
  int64_t done_ = 0, total_ = 0;  // bytes read, converted ones as they are afterwards
  bool requantised_ = false;
  std::vector<TypeReport> types_;
};

// Error(runtime) when the disk under `path` has less room than that, before hours are spent on filling it.
void check_room(const std::string& path, uint64_t bytes);

}  // namespace motley
