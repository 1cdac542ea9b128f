// Reads a template's text into its tree. Everything Jinja's grammar has is read; what reaches outside of one template (include, import,
// extends) and autoescape is refused by name.
//
//   std::shared_ptr<const Syntax> syntax = parse_template(source, limits);   // Fault("TemplateSyntaxError", "... (line 3)")
#pragma once
#include <memory>
#include <string_view>

#include "io/template/ast.h"
#include "io/template/limits.h"

namespace motley::jinja {

std::shared_ptr<const Syntax> parse_template(std::string_view source, const TemplateLimits& limits);

}  // namespace motley::jinja
