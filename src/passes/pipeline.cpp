#include "passes/pipeline.h"

#include <array>

#include "passes/lower.h"
#include "passes/memory.h"
#include "passes/schedule.h"

namespace motley {
namespace {

constexpr const char* kSimplifyRewrites[] = {"identity", "reshape", "cse", "dead"};
constexpr const char* kFoldRewrites[] = {"batch_norm", "pool_act"};
constexpr const char* kFuseRewrites[] = {"glu", "glu_matmul", "head_loss", "matmul_scale", "matmul_add", "matmul_act", "add_norm", "sum_add"};

// The order of the road. `optimising` passes can be skipped and the answer stays; the others give the graph its meaning on the device.
constexpr Pass kGraphPasses[] = {
    // What changes nothing is removed, and what is said twice is said once.
    {"simplify", "removes identities, repeated and unused nodes", true, kSimplifyRewrites, simplify},
    // A product with a quantised weight states how its activations are represented.
    {"quantize", "sets the activation format of products with quantised weights", false, {}, quantize},
    // What evaluation holds fixed goes into weights, before convolutions and pools are taken apart.
    {"fold", "folds batch norm into convolutions and activations into pools", true, kFoldRewrites, fold},
    // Composites this device has no kernel for become simpler ops, before fusion could hide them.
    {"expand", "replaces composite ops the device has no kernel for", false, {}, expand},
    // Neighbours that one kernel does in one go.
    {"fuse", "joins neighbouring ops into ones the device has kernels for", true, kFuseRewrites, fuse},
};

}  // namespace

std::span<const Pass> graph_passes() { return kGraphPasses; }

Compiled compile(Graph graph, const Target& target, const CompileOptions& options) {
  Compiled out;
  out.graph = run_passes(std::move(graph), kGraphPasses, {target, options.skip, options.after});
  for (int64_t max_T : options.token_ranges.empty() ? std::vector<int64_t>{0} : options.token_ranges) {
    // Kernels and layouts are chosen; values become buffers.
    Program program = lower(out.graph, target, max_T, options.keep_values);
    program.min_T = out.programs.empty() ? 1 : out.programs.back().max_T + 1;
    // Buffers whose lives do not overlap share memory.
    plan_memory(program);
    // Workers meet only where a step needs what others wrote.
    place_barriers(program);
    out.programs.push_back(std::move(program));
  }
  return out;
}

}  // namespace motley
