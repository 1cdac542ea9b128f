// A text through another program: the command reads it on its standard input and writes on its standard output what becomes of it.
//
//   std::string out = run_filter("translate --there-and-back", lines, {.seconds = 600});
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace motley {

struct FilterLimits {
  double seconds = 600;
  size_t output_bytes = size_t{1} << 30;
};

// The shell runs the command. It reads and writes at whatever pace it likes; with the limit of time or bytes it ends, and all that it started with
// it. wait is called now and then, and may throw, which ends the command. Error(runtime) with the end of what the command said on its standard error
// when it does not begin, ends with another code than 0, or passes a limit.
std::string run_filter(const std::string& command, std::string_view input, const FilterLimits& limits, const std::function<void()>& wait = {});

}  // namespace motley
