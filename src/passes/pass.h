// A pass takes a Graph and gives a Graph; it has no hidden state, opens no file and reads no clock. The runner names it, dumps it,
// verifies what it made, and leaves it out when asked: none of that is in the pass.
//
//   Graph fused = run_passes(graph, graph_passes(), {.target = target, .skip = {"fuse.glu_matmul"}});
#pragma once
#include <functional>
#include <set>
#include <span>
#include <string>

#include "ir/graph.h"
#include "target/target.h"

namespace motley {

// One rewrite inside a pass, with a name of its own so that it can be skipped alone ("fuse.add_rms_norm").
struct PassContext {
  const Target& target;
  const std::set<std::string>& skip;
  bool enabled(const char* pass, const char* rewrite) const { return !skip.contains(std::string(pass) + "." + rewrite); }
};

struct Pass {
  const char* name;
  const char* what;                       // one line for `motley explain`
  bool optimising;                        // may be skipped without changing the answer (design promise 4.15)
  std::span<const char* const> rewrites;  // names that --skip takes after the pass's own
  Graph (*run)(const Graph& graph, const PassContext& context);
};

struct PassOptions {
  const Target& target;
  std::set<std::string> skip;  // "fuse", "simplify.cse"
  // After each pass that ran (and once before the first, under the name "build").
  std::function<void(std::string_view pass, const Graph& graph)> after;
};

// Runs the passes in order, verifying after each. Error(usage) for a name in skip that no pass or rewrite has.
Graph run_passes(Graph graph, std::span<const Pass> passes, const PassOptions& options);

Graph simplify(const Graph& graph, const PassContext& context);
Graph quantize(const Graph& graph, const PassContext& context);
Graph fold(const Graph& graph, const PassContext& context);
Graph expand(const Graph& graph, const PassContext& context);
Graph fuse(const Graph& graph, const PassContext& context);

}  // namespace motley
