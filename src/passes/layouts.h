// Which layout each weight has on a device: the one its products read (design 4.16: one resident copy serves every reader), plain for all
// other values and for weights that learn.
#pragma once
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "target/target.h"

namespace motley {

// By node: the layout of a State node's value; kPlainLayout for everything else.
std::vector<std::string_view> choose_layouts(const Graph& graph, const Target& target);

// What choose_kernel needs to see of a node; `types` and `layouts` hold what the view points to.
struct NodeStorage {
  NodeStorage(const Graph& graph, const Node& node, const std::vector<std::string_view>& layouts_by_node);
  NodeView view() const { return {node.op, types, layouts, node.out}; }
  const Node& node;
  Types types;
  std::vector<std::string_view> layouts;
};

}  // namespace motley
