#include "ops/verify.h"

#include <map>
#include <set>

#include "base/error.h"
#include "ir/text.h"
#include "ops/def.h"

namespace motley {

Value state_root(const Graph& graph, Value v) {
  while (static_cast<size_t>(v.result) < def(graph.node(v).op).changes) v = graph.node(v).in[static_cast<size_t>(v.result)];
  return std::holds_alternative<State>(graph.node(v).op) ? v : Value{};
}

void verify(const Graph& graph) {
  auto wrong = [&](size_t node, std::string_view why) {
    fail(ErrorKind::runtime, "verify", "{}: {}", print(graph.nodes[node], static_cast<int32_t>(node)), why);
  };
  std::set<std::string> names;
  std::map<std::pair<int32_t, int32_t>, size_t> changed_by;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& n = graph.nodes[i];
    Types in;
    for (Value v : n.in) {
      if (v.node < 0 || static_cast<size_t>(v.node) >= i || v.result < 0 || static_cast<size_t>(v.result) >= graph.node(v).out.size())
        wrong(i, "an input does not come earlier");
      in.push_back(graph.type(v));
    }
    bool leaf = std::holds_alternative<Input>(n.op) || std::holds_alternative<State>(n.op);
    if (leaf) {
      if (n.out.size() != 1 || !n.in.empty()) wrong(i, "a leaf has one result and no inputs");
      if (!names.insert(n.name).second) wrong(i, "another input or state has this name");
    } else if (infer_types(n.op, in) != n.out) {
      wrong(i, "its types do not follow from its inputs");
    }
    // In place on a device: whoever reads the old value comes before.
    for (Value v : n.in)
      if (changed_by.contains({v.node, v.result})) wrong(i, "it reads a state that an earlier node changed");
    for (size_t r = 0; r < def(n.op).changes; ++r) {
      if (!state_root(graph, n.in[r]).valid()) wrong(i, "what it changes is not a state");
      if (!changed_by.emplace(std::pair{n.in[r].node, n.in[r].result}, i).second) wrong(i, "it changes a state twice");
    }
  }
  for (const auto& o : graph.outputs)
    if (o.value.node < 0 || static_cast<size_t>(o.value.node) >= graph.nodes.size())
      fail(ErrorKind::runtime, "verify", "output '{}' names no node", o.name);
  for (const auto& u : graph.updates) {
    Value root = u.value.node >= 0 && static_cast<size_t>(u.value.node) < graph.nodes.size() ? state_root(graph, u.value) : Value{};
    if (!root.valid() || graph.node(root).name != u.name) fail(ErrorKind::runtime, "verify", "update '{}' is not a successor of that state", u.name);
  }
}

}  // namespace motley
