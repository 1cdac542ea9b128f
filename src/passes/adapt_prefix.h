// The part of adapt.h that is about prefixes.
#pragma once
#include <cstdint>

#include "ir/graph.h"

namespace motley {

// The graph in which tokens with ids from the vocabulary's size on have learned keys and values. Error(usage) where layers differ in heads.
Graph with_prefix(const Graph& graph, int64_t tokens);

}  // namespace motley
