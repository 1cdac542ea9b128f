// The tests: what stands behind `is` in a template, and what select and reject ask by name.
//
//   bool odd = find_predicate("odd")->holds(render, Value(int64_t{3}), no_args);
#pragma once
#include <string_view>

#include "io/template/render.h"

namespace motley::jinja {

struct Predicate {
  std::string_view name;
  bool (*holds)(Render&, const Value&, Args&);
};
const Predicate* find_predicate(std::string_view name);  // nothing for an unknown name

}  // namespace motley::jinja
