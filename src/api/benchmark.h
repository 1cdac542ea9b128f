// How fast a model runs here, and how much of what the machine can do that is. Each phase is timed as the steps it consists of, without
// tokenizer or sampler; the limit is probed anew before each run, because machines drift.
//
//   for (const Measurement& m : benchmark(source, {.prompt = 512, .generate = 128})) ...
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "api/open_model.h"

namespace motley {

struct BenchmarkOptions {
  std::string device = "cpu";
  DeviceWishes wishes;
  PlanWishes plan;
  std::set<std::string> skip;
  int64_t prompt = 512;               // tokens of the prefill; 0: not measured
  int64_t generate = 64;              // steps of decode and batch; 0: not measured
  int64_t context = 0;                // tokens already there when decoding begins
  std::vector<int64_t> batches = {};  // sequences decoded together, each a measurement
  int repeat = 5;                     // the median counts
  bool bounds = false;                // also without the arithmetic and without the loads (Device::omit), in turns with the whole
};

struct Measurement {
  std::string model, type, phase, device;  // phase: prefill, decode, batch, train
  int64_t tokens = 0, batch = 1;
  int threads = 1;
  double tok_s = 0;            // of all sequences together
  double bytes_per_token = 0;  // read: weights touched and KV, for a token of this phase
  double flops_per_token = 0;
  double limit = 0;                                  // what binds: bytes or operations per second
  std::string limit_name;                            // "read bytes/s", "int8 op/s", "f32 op/s"
  double fraction_of_limit = 0;                      // the median of each run's fraction of the limit probed just before it
  double without_arithmetic = 0, without_loads = 0;  // tokens per second; 0: not measured
  double fraction_of_bound = 0;                      // of the lower of these two: the median of each run's
  int64_t memory_bytes = 0;                          // of training: states and working memory
  std::vector<double> losses = {};                   // of training: of each step, the untimed first one included
};

std::vector<Measurement> benchmark(const ModelSource& source, const std::string& type, const BenchmarkOptions& options,
                                   const std::function<void(const std::string&)>& progress);

std::string to_json(const Measurement& m);  // one line

}  // namespace motley
