// The name Json for headers that only pass it on; io/json.h has the rest.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace motley {
using Json = nlohmann::json;
}  // namespace motley
