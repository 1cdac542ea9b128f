// The JSON object that `motley run --json` prints (docs/commands.md, what scripts may rely on).
#pragma once
#include <string>
#include <vector>

#include "api/generate_text.h"

namespace motley {

std::string result_json(const OpenModel& model, const std::vector<int32_t>& prompt, const TextResult& result);

}  // namespace motley
