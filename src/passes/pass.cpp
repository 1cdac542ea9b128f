#include "passes/pass.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "ops/verify.h"

namespace motley {
namespace {

void check_names(std::span<const Pass> passes, const std::set<std::string>& skip) {
  std::vector<std::string> known;
  for (const Pass& p : passes) {
    if (p.optimising) known.emplace_back(p.name);
    for (const char* r : p.rewrites) known.push_back(std::string(p.name) + "." + r);
  }
  std::vector<std::string_view> views(known.begin(), known.end());
  for (const auto& name : skip) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    auto meant = nearest(name, views);
    std::string all;
    for (const auto& k : known) all += (all.empty() ? "" : ", ") + k;
    fail(ErrorKind::usage, "skip", "there is no optimising pass or rewrite '{}'{}; there are: {}", name,
         meant ? fmt::format(", did you mean '{}'?", *meant) : "", all);
  }
}

}  // namespace

Graph run_passes(Graph graph, std::span<const Pass> passes, const PassOptions& options) {
  check_names(passes, options.skip);
  verify(graph);
  if (options.after) options.after("build", graph);
  PassContext context{options.target, options.skip};
  for (const Pass& pass : passes) {
    if (options.skip.contains(pass.name)) continue;
    graph = pass.run(graph, context);
    verify(graph);
    if (options.after) options.after(pass.name, graph);
  }
  return graph;
}

}  // namespace motley
