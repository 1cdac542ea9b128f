// The text form of a Graph. print(parse_graph(text)) gives the text back; a mistake in the text is Error(usage) with its line.
//
//   %3 = rms_norm(%1, %2) eps=1e-05 offset=0 : f32[T<=512,64] "layers.0.norm" block=0
//
// Several results are types separated by " ; ", and a later result of a node is written %3.1.
#pragma once
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace motley {

std::string print(const Graph& graph);
std::string print(const Node& node, int32_t index);
Graph parse_graph(std::string_view text);

// The spelling of an op ("rms_norm"), and the op with default attributes for a spelling. The spelling is the struct's name in snake case.
std::string_view op_name(const Op& op);
std::string_view op_name(size_t op_index);
bool op_from_name(std::string_view name, Op& op);

}  // namespace motley
