// check() is for our own mistakes: a condition that holds unless the program is wrong. It is on in every build and its message
// ends with file and line. Anything that depends on input (a file, a flag, a request) uses fail() instead.
//
//   check(step.inputs.size() == 2, "matmul takes two inputs");
#pragma once
#include <source_location>
#include <string_view>

namespace motley {

[[noreturn]] void check_failed(std::string_view what, const std::source_location& where);

inline void check(bool holds, std::string_view what, const std::source_location& where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    check_failed(what, where);
}

}  // namespace motley
