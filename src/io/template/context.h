// What a caller hands to a template, as the template's values.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "io/template/value.h"

namespace motley::jinja {

Value from_json(Heap& heap, const nlohmann::ordered_json& json);

}  // namespace motley::jinja
