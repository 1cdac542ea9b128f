// What every template can call without being given it: range, dict, namespace, cycler, joiner, raise_exception, strftime_now.
#pragma once
#include <string_view>

#include "io/template/render.h"

namespace motley::jinja {

Dict::Items global_names(Render& render);
void set_namespace_attribute(Heap& heap, Namespace& space, std::string_view name, const Value& value);

}  // namespace motley::jinja
