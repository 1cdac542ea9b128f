// The exam's fourth question: how fast. Products, attention and norms at the shapes of a 1B model, one JSON line each.
#pragma once
#include <string>

namespace motley::exam {

// Only cases whose name contains `filter`. Prints to standard output.
void measure_speed(const std::string& filter, int threads, const std::string& isa);

}  // namespace motley::exam
