// Whether a Graph is legal: every node's types follow from its definition, inputs come earlier, names of inputs and states are unique, a
// state value is consumed by at most one op that changes it and read by none after that, and each update's chain starts at the state of its name. Run
// after every pass, so a pass that breaks a graph is named.
#pragma once
#include "ir/graph.h"

namespace motley {

void verify(const Graph& graph);  // Error(runtime) "[verify] node %5 ..."

// The state that v is or is a successor of; Value{} when it is neither.
Value state_root(const Graph& graph, Value v);

}  // namespace motley
