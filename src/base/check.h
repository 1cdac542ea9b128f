// check() is for our own mistakes: a condition that holds unless the program is wrong. It is on in every build and its message
// ends with file and line. Anything that depends on input (a file, a flag, a request) uses fail() instead.
//
//   check(step.inputs.size() == 2, "matmul takes two inputs");
#pragma once
#include <string_view>

namespace motley {

[[noreturn]] void check_failed(std::string_view what, const char* file, int line);

// The builtins behind std::source_location, which clang 14 (the fuzzers' compiler) does not have.
inline void check(bool holds, std::string_view what, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (!holds) [[unlikely]]
    check_failed(what, file, line);
}

}  // namespace motley
