// The compiler's table of contents: a model's Graph becomes Programs. compile() is the whole compile half in one call.
//
//   Compiled c = compile(graph, target, {.token_ranges = {1, 16, 512}});
//   device.prepare(c.programs[0]);
#pragma once
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"
#include "program/program.h"
#include "target/target.h"

namespace motley {

std::span<const Pass> graph_passes();

struct CompileOptions {
  std::vector<int64_t> token_ranges;  // ceilings of T, ascending, one Program each; empty: one Program for the graph's ceiling
  std::set<std::string> skip;
  std::function<void(std::string_view pass, const Graph& graph)> after;
  bool keep_values = false;  // every f32 value becomes an output of the Program, for comparing node by node
};

struct Compiled {
  Graph graph;  // after the last graph pass
  std::vector<Program> programs;
};

Compiled compile(Graph graph, const Target& target, const CompileOptions& options);

}  // namespace motley
