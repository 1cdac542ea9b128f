// JSON whose objects keep the order they were written in, for what is shown to a model: a tool's schema reads as its author wrote it.
// The same bounds and messages as parse_json (io/json.h).
//
//   nlohmann::ordered_json messages = parse_ordered_json(read_file(path, kMaxBytes), path);
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace motley {

nlohmann::ordered_json parse_ordered_json(std::string_view text, std::string_view what, int max_depth = 64);

}  // namespace motley
