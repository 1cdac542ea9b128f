// Which values are formed in the memory of a state that an assign gives them to, so that nothing is copied: a gradient in its sum, a running
// statistic in itself.
//
//   auto where = values_in_states(graph, [&](const Node& n) { return choose(n).kernel->in_place; });
//   if (Value state = where[node][result]; state.valid()) ...   // this result's memory is that state's
//
// It does not apply where somebody else reads the value, where the state's old value is read after the value begins to be formed (but by a kernel
// that takes it in place), and where the value is itself an input, a state or a constant. A value that such a kernel takes in place is formed
// there too: c in c + outer_sum(a, b).
#pragma once
#include <functional>
#include <vector>

#include "ir/graph.h"

namespace motley {

// By node and result the root state, or nothing. An assign whose value was formed in place has the state in its own place too, and needs no
// step. in_place: the input that the node's kernel bears where its first result is written; -1: none.
std::vector<std::vector<Value>> values_in_states(const Graph& graph, const std::function<int(const Node& node)>& in_place);

}  // namespace motley
