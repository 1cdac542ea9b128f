// What config.json says about how the weights of a Hugging Face folder are stored, where that is not one plain tensor each.
//
//   StoredQuantisation q = read_quantisation(config, "config.json");
//   if (!q.problem.empty()) fail(...);                 // a method that is not read here, and the nearest that is
//   if (q.method == QuantisationMethod::gptq) use(q.bits, q.group);
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "io/json_fwd.h"

namespace motley {

enum class QuantisationMethod : uint8_t { none, fp8, awq, gptq };

struct StoredQuantisation {
  QuantisationMethod method = QuantisationMethod::none;
  int bits = 8;                               // of a weight: 4 for AWQ; 2, 3, 4 or 8 for GPTQ
  int64_t group = 0;                          // inputs that share a scale; 0: all of an output's
  bool zeros_less_one = true;                 // GPTQ's first form stores zero points less one
  int64_t block_rows = 0, block_columns = 0;  // FP8: weights that share a scale; 0: it depends on the scales' shape
  std::string problem;                        // why the weights cannot be read, a sentence; empty when they can
};

// config: the whole file. Error(file) when a value has the wrong type or is out of range; methods that are not read give a problem.
StoredQuantisation read_quantisation(const Json& config, std::string_view what);

}  // namespace motley
