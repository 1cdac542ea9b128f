// Steps stay in the graph's order; what is decided here is where workers meet. A step needs a barrier before it when it reads, or writes
// over, bytes that a step since the last barrier wrote, or writes bytes that one read. Products that share an input (q, k, v) run on
// without waiting for each other.
#pragma once
#include "program/program.h"

namespace motley {

void place_barriers(Program& program);

}  // namespace motley
