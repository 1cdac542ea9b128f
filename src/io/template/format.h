// Python's two ways to put values into text: "%5.2f" % value and "{:>5}".format(value).
#pragma once
#include <string>

#include "io/template/render.h"

namespace motley::jinja {

Value format_percent(Render& render, const Value& pattern, const Value& values);
std::string format_braces(Render& render, const Value& pattern, const Args& args);

}  // namespace motley::jinja
