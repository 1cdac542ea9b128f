// How much a template may use before it is refused. Chat templates come from strangers: a loop that never ends, a string doubled forty
// times or a macro that calls itself must become an error in well under a second, whatever the template says.
//
//   TemplateLimits limits{.steps = 1'000'000};
#pragma once
#include <cstddef>
#include <cstdint>

namespace motley {

struct TemplateLimits {
  size_t source_bytes = 1 << 20;            // of the template's text
  int nesting = 100;                        // brackets and blocks inside one another in the text
  int64_t steps = 5'000'000;                // expressions evaluated, items looped over, and a step per 64 bytes of text moved
  int depth = 600;                          // evaluations inside one another: expressions, blocks, macro calls
  size_t output_bytes = 8'000'000;          // of the rendered text, and of each captured block
  size_t memory_bytes = size_t{192} << 20;  // held by values at one time
};

}  // namespace motley
