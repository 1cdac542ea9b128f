// How fast a model learns here: whole optimizer steps (forward, backward, clipping, AdamW) in f32 on made-up tokens, as `motley train` takes
// them, beside the device's multiply-add limit, which is probed before each step.
//
//   Measurement m = benchmark_training("gpt2-124m", *find_shape("gpt2-124m"), {.rows = 4, .length = 256}, progress);
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "api/benchmark.h"
#include "nn/config.h"

namespace motley {

struct TrainingBenchmarkOptions {
  std::string device = "cpu";
  DeviceWishes wishes;
  std::set<std::string> skip;
  int64_t rows = 4, length = 256;  // of a step: sequences, and tokens of each
  int repeat = 5;                  // the median counts
};

// Weights are new; none is read. Phase "train"; tok_s counts all tokens of a step, flops_per_token products and attention, forward and backward,
// bytes_per_token the weights, moments and gradients that the update reads and writes. Error(usage) where the model is no language model.
Measurement benchmark_training(const std::string& name, const ModelConfig& config, const TrainingBenchmarkOptions& options,
                               const std::function<void(const std::string&)>& progress);

}  // namespace motley
