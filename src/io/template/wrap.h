// Python's textwrap.wrap, for the wordwrap filter.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace motley::jinja {

struct WrapStyle {
  int64_t width = 79;
  bool break_long_words = true;
  bool break_on_hyphens = true;
};

// The lines that `line` becomes, none longer than width where that can be had. No line at all for white space.
std::vector<std::string> wrap_line(std::string_view line, const WrapStyle& style);

}  // namespace motley::jinja
