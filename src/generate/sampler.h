// From a row of logits to a token. The chain, in llama.cpp's order: logit bias, repetition / presence / frequency penalties, then at
// temperature 0 the largest logit; otherwise top-k, typical, top-p, min-p, temperature, and a draw.
//
// The draw for the n-th generated token is a function of (seed, n) alone, so the same seed gives the same text whatever else is running.
//
//   Sampler sampler({.temperature = 0.8f, .top_p = 0.95f, .seed = 7}, prompt_ids);
//   Sampled s = sampler.next(logits);   // also remembers the token for the penalties
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace motley {

struct SamplerOptions {
  float temperature = 0.8f;     // 0: greedy (ties: the lower id)
  int64_t top_k = 40;           // 0: all
  float top_p = 0.95f;          // Holtzman et al. 2020; 1: off
  float min_p = 0.05f;          // of the largest probability; 0: off
  float typical_p = 1;          // Meister et al. 2023; 1: off
  float repeat_penalty = 1;     // Keskar et al. 2019: divides positive, multiplies negative logits of recent tokens; 1: off
  int64_t repeat_last_n = 64;   // how many tokens back, prompt included; -1: all
  float presence_penalty = 0;   // subtracted once from tokens generated before
  float frequency_penalty = 0;  // subtracted for each time a token was generated before
  std::vector<std::pair<int32_t, float>> logit_bias = {};  // added; -inf forbids
  uint64_t seed = 0;
  int logprobs = -1;  // >= 0: report the log probability of the token and of this many most likely ones
};

struct Sampled {
  int32_t token = 0;
  float logprob = 0;  // under the model's own distribution (before bias, penalties and temperature); 0 unless asked for
  std::vector<std::pair<int32_t, float>> top;
};

class Sampler {
 public:
  // Error(usage) naming the option and its range when one is out of it.
  Sampler(SamplerOptions options, std::span<const int32_t> prompt);

  Sampled next(std::span<const float> logits);

 private:
  struct Candidate {
    int32_t token;
    float logit;
  };
  void penalise(std::span<const float> logits);
  void keep_top_k(int64_t k);
  void keep_probable();
  int32_t draw();

  SamplerOptions options_;
  std::vector<int32_t> history_;  // prompt and generated
  size_t prompt_size_;
  std::vector<Candidate> candidates_;  // kept from step to step to save the allocation
  std::vector<float> probability_;
};

// log(sum(exp(x))), in double with the maximum taken out.
double log_sum_exp(std::span<const float> x);

}  // namespace motley
