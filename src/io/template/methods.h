// The methods of Python's str, list, tuple, dict and of Jinja's own objects that do not change what they are called on.
#pragma once
#include <string_view>

#include "io/template/render.h"

namespace motley::jinja {

using Method = Value (*)(Render&, const Value& self, Args&);

// Nothing when values of this kind have no such method.
Method find_method(const Value& object, std::string_view name);
Method find_text_method(std::string_view name);

// Shared with the filters of the same name. side: -1 the left end, 1 the right, 0 both. chars: absent for white space.
std::string_view strip_text(std::string_view s, const std::optional<std::string_view>& chars, int side);
std::string replace_text(Render& render, std::string_view s, std::string_view old, std::string_view with, int64_t count);
std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends = false);
std::string pad_text(Render& render, std::string_view s, int64_t length, int64_t width, char align, std::string_view fill);

}  // namespace motley::jinja
