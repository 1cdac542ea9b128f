// Gives every arena buffer an offset so that buffers alive at the same time do not overlap, and the arena is as small as first fit by
// size makes it. Scratch memory of a step lives for that step alone.
#pragma once
#include "program/program.h"

namespace motley {

void plan_memory(Program& program);

}  // namespace motley
