// The JSON objects that `motley run --json` prints (docs/commands.md, what scripts may rely on).
#pragma once
#include <string>
#include <vector>

#include "api/generate_text.h"

namespace motley {

std::string result_json(const OpenModel& model, const std::vector<int32_t>& prompt, const TextResult& result);
// Of one text of --samples.
std::string sample_json(const OpenModel& model, uint64_t seed, const TextResult& result);

}  // namespace motley
