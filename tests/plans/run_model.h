// A tiny checkpoint under a plan, for tests that compare plans: what a prompt and its greedy continuation look like, bit by bit.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "api/open_model.h"
#include "generate/scheduler.h"

namespace motley {

struct RunOptions {
  int threads = 1;
  int64_t batch_tokens = 64, sequences = 1;
  Dtype kv_type = Dtype::f32;
  std::set<std::string> skip = {};
};

OpenModel open_tiny(const std::string& name, const RunOptions& options);

struct Trace {
  std::vector<std::vector<float>> logits;  // of each position, prompt and generated
  std::vector<int32_t> tokens;             // generated
};

// Each prompt's trace, all prompts submitted at once.
std::vector<Trace> run_prompts(OpenModel& model, const std::vector<std::vector<int32_t>>& prompts, int64_t generate);

std::vector<int32_t> some_prompt(const OpenModel& model, int length, int seed);
std::vector<std::string> tiny_models();  // folders of tests/data/models

}  // namespace motley
