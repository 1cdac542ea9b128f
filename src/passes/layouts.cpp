#include "passes/layouts.h"

#include <set>

namespace motley {

std::vector<std::string_view> choose_layouts(const Graph& graph, const Target& target) {
  std::vector<std::string_view> layouts(graph.nodes.size(), kPlainLayout);
  if (!target.weight_layout) return layouts;
  auto is_product = [](const Op& op) {
    return std::holds_alternative<Matmul>(op) || std::holds_alternative<FusedMatmul>(op) || std::holds_alternative<GluMatmul>(op) ||
           std::holds_alternative<ExpertMatmul>(op);
  };
  std::set<std::string_view> changing;
  for (const auto& u : graph.updates) changing.insert(u.name);
  std::vector<char> asked(graph.nodes.size(), 0);
  for (const Node& n : graph.nodes) {
    if (!is_product(n.op)) continue;
    size_t weights = std::holds_alternative<GluMatmul>(n.op) ? 2 : 1;
    for (size_t i = 1; i <= weights; ++i) {
      if (!std::holds_alternative<State>(graph.node(n.in[i]).op) || changing.contains(graph.node(n.in[i]).name)) continue;
      const auto at = static_cast<size_t>(n.in[i].node);
      // Every reader can read plain bytes; not every one what another would like.
      const std::string_view wanted = target.weight_layout(graph.type(n.in[i]), n.op, target);
      layouts[at] = !asked[at] || layouts[at] == wanted ? wanted : kPlainLayout;
      asked[at] = 1;
    }
  }
  for (size_t i = 0; i < graph.nodes.size() && !target.resident.empty(); ++i) {
    auto there = target.resident.find(graph.nodes[i].name);
    if (there != target.resident.end() && std::holds_alternative<State>(graph.nodes[i].op)) layouts[i] = there->second;
  }
  return layouts;
}

NodeStorage::NodeStorage(const Graph& graph, const Node& n, const std::vector<std::string_view>& layouts_by_node) : node(n) {
  for (Value v : n.in) types.push_back(graph.type(v)), layouts.push_back(layouts_by_node[static_cast<size_t>(v.node)]);
}

}  // namespace motley
