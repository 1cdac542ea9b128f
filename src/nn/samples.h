// Texts on their way into a step: as many samples as go together, laid one after the other, and what a graph asks about them, by the names
// of its inputs (objective.h lists them).
//
//   auto inputs = pack_samples(config, samples, {.tokens = 4096, .samples = 32});
//   for (const ProgramInput& i : program.inputs) in.emplace_back(inputs.at(i.name));
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "nn/config.h"

namespace motley {

struct Sample {
  std::vector<int32_t> tokens;
  std::vector<int32_t> types;  // of the segment each token is in, as many as tokens; empty: all 0
};

struct SampleLayout {
  int64_t tokens = 0, samples = 0;  // of the step; 0: as many as there are. What is left over is padding
  bool grid = false;                // sample s begins at token s * tokens / samples
};

using StepValues = std::map<std::string, std::vector<int32_t>>;

// tokens, positions, seq, token_types and rows (every token) [T]; first, last and lengths [S]. Samples that are not there have length 0, and
// first and last 0. Error(usage) when samples are empty, longer than the model reads, or do not fit.
StepValues pack_samples(const ModelConfig& config, std::span<const Sample> samples, const SampleLayout& layout);

}  // namespace motley
