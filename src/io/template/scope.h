// Which scope a name belongs to. Jinja decides this when it compiles a template: each loop body, macro, with, block and captured set has
// names of its own; an `if` has not; and a name that is set anywhere in a scope belongs to that scope from its beginning, where it starts
// out as the outer value, as the caller's variable, or as missing. plan_scopes() takes the same decisions for a parsed template.
//
//   plan_scopes(syntax);   // fills every ScopePlan, resolves filters and tests; Fault("TemplateAssertionError") for an unknown one
#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "io/template/ast.h"

namespace motley::jinja {

struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<int, std::optional<Value>>> names;  // in the order of their numbers; no value: missing, which reads as undefined
  std::optional<Value>* find(int name) {
    auto it = std::lower_bound(names.begin(), names.end(), name, [](const auto& entry, int n) { return entry.first < n; });
    return it != names.end() && it->first == name ? &it->second : nullptr;
  }
};

void plan_scopes(Syntax& syntax);

}  // namespace motley::jinja
