// Python's operators on values. Integers are 64 bits wide: a result that does not fit is an OverflowError, where Python would go on.
#pragma once
#include "io/template/ast.h"
#include "io/template/render.h"

namespace motley::jinja {

Value binary(Render& render, Binary op, const Value& a, const Value& b);
Value unary(Heap& heap, Unary op, const Value& v);
bool compare(Render& render, Comparison op, const Value& a, const Value& b);
Value add(Render& render, const Value& a, const Value& b);
std::string escape_html(std::string_view s);  // as markupsafe
// v as text inside Markup: escaped unless it is Markup already.
std::string escaped(Render& render, const Value& v);

}  // namespace motley::jinja
