// Graph -> Program: each node becomes a step with the first kernel of the device's list that takes it, each value a buffer, each weight
// gets its layout. The executor chooses nothing.
//
// Reshapes become another view of the same bytes. A changed state is the same buffer before and after the step that changes it. A value that
// only an assign reads is formed where its state lies (in_place.h): the assign is no step.
// Arena buffers carry a storage number in `at`; plan_memory() turns it into an offset.
#pragma once
#include <cstdint>

#include "ir/graph.h"
#include "program/program.h"
#include "target/target.h"

namespace motley {

// max_T: the ceiling of T of this Program; 0 keeps the graph's. Error(runtime) naming the node and every kernel's refusal when no kernel
// takes a node. keep_values: every f32 value of the arena becomes an output named "%node.result".
Program lower(const Graph& graph, const Target& target, int64_t max_T, bool keep_values);

}  // namespace motley
