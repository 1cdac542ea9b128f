// motley explain MODEL: what the compiler makes of a model on this machine, without loading it: the plan, what each pass did, and for each
// kind of step the kernel chosen and why those before it refused.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "api/model_facts.h"
#include "base/error.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "control/compare.h"
#include "ir/text.h"
#include "nn/shapes.h"
#include "passes/layouts.h"

namespace motley {
namespace {

struct ExplainFlags {
  ModelFlags model;
  std::string shape, check_against, ids;
  bool graph = false, program = false, plan_only = false;
};

double mib(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void print_passes(const std::vector<std::pair<std::string, size_t>>& counts) {
  fmt::print("passes\n");
  for (size_t i = 0; i < counts.size(); ++i) {
    std::string_view what = "the model as it was built";
    for (const Pass& p : graph_passes())
      if (counts[i].first == p.name) what = p.what;
    fmt::print("  {:<10} {:>5} nodes   {}\n", counts[i].first, counts[i].second, what);
  }
}

void print_conversions(const Checkpoint& checkpoint) {
  for (const StoredType& t : stored_types(checkpoint))
    if (t.kept)
      fmt::print("  no kernel reads {}: its {} tensors become {} while they are loaded, {:.1f} MiB from {:.1f} in the file\n", t.name, t.tensors,
                 name(*t.kept), mib(static_cast<int64_t>(t.kept_bytes)), mib(static_cast<int64_t>(t.bytes)));
}

// Nodes of one op with the same types, layouts and kernel are told once.
void print_kernels(const Graph& graph, const Program& program, const Target& target) {
  struct Kind {
    int count = 0;
    std::string refusals;
  };
  std::vector<std::pair<std::string, Kind>> kinds;
  auto layouts = choose_layouts(graph, target);
  for (const Node& n : graph.nodes) {
    if (n.in.empty() || std::holds_alternative<Reshape>(n.op)) continue;
    NodeStorage storage(graph, n, layouts);
    KernelChoice choice = choose_kernel(target, storage.view());
    std::string types;
    for (size_t i = 0; i < storage.types.size(); ++i)
      types += fmt::format("{}{}{}", i ? ", " : "", to_string(storage.types[i]),
                           storage.layouts[i] == kPlainLayout ? "" : fmt::format(" {}", storage.layouts[i]));
    std::string key = fmt::format("{} ({}) -> {}", op_name(n.op), types, choice.kernel ? choice.kernel->name : "none");
    auto it = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.first == key; });
    if (it == kinds.end()) {
      Kind kind;
      for (const auto& [kernel, reason] : choice.refusals) kind.refusals += fmt::format("        not {}: {}\n", kernel, reason);
      kinds.emplace_back(key, kind);
      it = kinds.end() - 1;
    }
    ++it->second.count;
  }
  int barriers = 0;
  for (const Step& s : program.steps) barriers += s.barrier;
  fmt::print("steps of {}..{} tokens: {}, with {} barriers, in {:.2f} MiB of working memory\n", program.min_T, program.max_T, program.steps.size(),
             barriers, mib(program.arena_bytes));
  for (const auto& [key, kind] : kinds) fmt::print("  {:>4} x {}\n{}", kind.count, key, kind.refusals);
}

int check(const ExplainFlags& f, const ModelSource& source, const Plan& plan) {
  if (f.check_against != "reference") fail(ErrorKind::usage, "explain", "--check-against knows 'reference', not '{}'", f.check_against);
  std::vector<int32_t> ids;
  if (!f.ids.empty()) ids = parse_ids(f.ids, "--ids");
  for (int64_t i = 0; f.ids.empty() && i < 8; ++i) ids.push_back(static_cast<int32_t>((1 + i * 7919) % source.config.vocab));
  auto device = open_device(f.model.device, f.model.options().wishes);
  Comparison c = compare_with_reference(source, plan, *device, f.model.options().session.skip, ids);
  const NodeDifference* worst = nullptr;
  for (const auto& d : c.differences)
    if (!worst || d.error > worst->error) worst = &d;
  if (c.first >= 0) {
    const auto& d = c.differences[static_cast<size_t>(c.first)];
    fail(ErrorKind::device, "check",
         "node %{} {} \"{}\" by kernel {} differs from the reference by {:.3g} of its largest value; rounding explains {:.3g}", d.node, d.op, d.name,
         d.kernel, d.error, c.bound);
  }
  fmt::print("checked {} values against the reference on {} tokens: all within {:.3g}", c.differences.size(), ids.size(), c.bound);
  if (worst) fmt::print("; the largest difference is {:.3g}, at \"{}\" ({})", worst->error, worst->name, worst->kernel);
  fmt::print("\n");
  return 0;
}

int explain(const ExplainFlags& f) {
  ModelOptions options = f.model.options();
  ModelSource source;
  std::shared_ptr<const Checkpoint> checkpoint;
  if (!f.shape.empty()) {
    auto colon = f.shape.find(':');
    auto shape = find_shape(f.shape.substr(0, colon));
    auto recipe = find_recipe(colon == std::string::npos ? "f32" : f.shape.substr(colon + 1));
    if (!shape || !recipe) fail(ErrorKind::usage, "explain", "'{}' is no known shape[:type]; try llama-3.2-1b:q8_0", f.shape);
    source = random_model(f.shape, *shape, *recipe, 1);
  } else {
    checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(resolve_model(f.model.model)));
    if (!checkpoint->has_weights())
      fail(ErrorKind::file, "explain", "{} has no weights, so their types are unknown; use --shape NAME:TYPE for a known shape", checkpoint->path());
    source = model_source(checkpoint, options);
  }
  Target target;
  for (Target& t : list_targets(options.wishes))
    if (t.name == f.model.device || t.kind == f.model.device) target = t;
  if (target.kernels.empty()) fail(ErrorKind::device, "explain", "there is no device '{}' here; see: motley devices", f.model.device);
  Plan plan = choose_plan(source, target, options);
  fmt::print("{}", print(plan));
  if (f.plan_only) return 0;
  if (!f.check_against.empty()) return check(f, source, plan);

  std::vector<std::pair<std::string, size_t>> counts;
  auto dump = options.session.after_pass;
  Compiled compiled =
      compile(build_graph(source, plan), target,
              {.token_ranges = {1, plan.batch_tokens}, .skip = options.session.skip, .after = [&](std::string_view pass, const Graph& g) {
                 counts.emplace_back(std::string(pass), g.nodes.size());
                 if (dump) dump(pass, g);
               }});
  fmt::print("\n{} with {} ({})\n", target.name, target.isa, target.description);
  ModelDemand demand = demand_of(source);
  fmt::print("weights {:.1f} MiB, KV pool {:.1f} MiB for {} tokens\n", mib(demand.weight_bytes), mib(kv_bytes(demand, plan)),
             plan.context * plan.sequences);
  if (checkpoint) print_conversions(*checkpoint);
  fmt::print("\n");
  print_passes(counts);
  fmt::print("\n");
  print_kernels(compiled.graph, compiled.programs.back(), target);
  if (f.graph) fmt::print("\n{}", print(compiled.graph));
  if (f.program) fmt::print("\n{}", print(compiled.programs[0]));
  return 0;
}

}  // namespace

Body add_explain(CLI::App& app) {
  auto f = std::make_shared<ExplainFlags>();
  f->model.add(app);
  app.add_option("--shape", f->shape, "a known shape instead of a model, NAME[:TYPE]");
  app.add_option("--check-against", f->check_against, "reference: run both and name the first node that differs");
  app.add_option("--ids", f->ids, "the tokens to check with, a JSON array");
  app.add_flag("--plan", f->plan_only, "print the plan alone (it can be edited and given to run --place FILE)");
  app.add_flag("--graph", f->graph, "print the graph after the passes");
  app.add_flag("--program", f->program, "print the program of one-token steps");
  return [f] { return explain(*f); };
}

}  // namespace motley
