#include "passes/lower.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/error.h"
#include "ir/text.h"
#include "ops/def.h"
#include "passes/in_place.h"
#include "passes/layouts.h"

namespace motley {
namespace {

Graph with_tokens(const Graph& graph, int64_t max_T) {
  Graph out = graph;
  auto lower_ceiling = [&](Dims& dims) {
    for (Dim& d : dims)
      if (d.sym == Sym::T) d.n = std::min(d.n, max_T);
  };
  for (Node& n : out.nodes) {
    for (Type& t : n.out) lower_ceiling(t.shape);
    if (auto* reshape = std::get_if<Reshape>(&n.op)) lower_ceiling(reshape->shape);
  }
  return out;
}

class Lowering {
 public:
  Lowering(const Graph& graph, const Target& target, bool keep_values)
      : graph_(graph), target_(target), keep_values_(keep_values), layouts_(choose_layouts(graph, target)), buffer_of_(graph.nodes.size()) {}

  Program run() {
    program_.device = target_.name;
    for (const auto& u : graph_.updates) changing_.insert(u.name);
    in_state_ = values_in_states(graph_, [&](const Node& n) {
      NodeStorage storage(graph_, n, layouts_);
      const KernelInfo* kernel = choose_kernel(target_, storage.view()).kernel;
      return kernel ? kernel->in_place : -1;
    });
    for (size_t i = 0; i < graph_.nodes.size(); ++i) place(i);
    for (const auto& o : graph_.outputs) program_.outputs.push_back({o.name, buffer(o.value)});
    if (keep_values_)
      for (size_t i = 0; i < graph_.nodes.size(); ++i)
        for (size_t r = 0; r < buffer_of_[i].size(); ++r) {
          const Buffer& b = program_.buffers[static_cast<size_t>(buffer_of_[i][r])];
          if (b.space == Space::arena && b.type.dtype == Dtype::f32) program_.outputs.push_back({fmt::format("%{}.{}", i, r), buffer_of_[i][r]});
        }
    program_.max_T = 1;
    for (const Buffer& b : program_.buffers)
      for (const Dim& d : b.type.shape)
        if (d.sym == Sym::T) program_.max_T = std::max(program_.max_T, d.n);
    return std::move(program_);
  }

 private:
  int buffer(Value v) const { return buffer_of_[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; }

  int add(Space space, size_t at, const Type& type) {
    program_.buffers.push_back({space, static_cast<int64_t>(at), type});
    return static_cast<int>(program_.buffers.size()) - 1;
  }

  // The state's memory as a value of this type.
  int add_in_state(Value root, const Type& type) {
    place(static_cast<size_t>(root.node));
    return add(Space::state, static_cast<size_t>(program_.buffers[static_cast<size_t>(buffer(root))].at), type);
  }

  void place(size_t i) {
    const Node& n = graph_.nodes[i];
    auto& mine = buffer_of_[i];
    if (!mine.empty()) return;  // a state whose memory was wanted before
    if (std::holds_alternative<Input>(n.op)) {
      mine = {add(Space::input, program_.inputs.size(), n.out[0])};
      program_.inputs.push_back({n.name, n.out[0]});
    } else if (std::holds_alternative<State>(n.op)) {
      mine = {add(Space::state, program_.states.size(), n.out[0])};
      program_.states.push_back({n.name, n.out[0], std::string(layouts_[i]), changing_.contains(n.name)});
    } else if (const auto* c = std::get_if<Const>(&n.op)) {
      mine = {add(Space::constant, program_.constants.size(), n.out[0])};
      program_.constants.push_back({n.out[0], c->values});
    } else if (std::holds_alternative<Reshape>(n.op)) {
      Buffer same = program_.buffers[static_cast<size_t>(buffer(n.in[0]))];
      mine = {add(same.space, static_cast<size_t>(same.at), n.out[0])};
    } else if (std::holds_alternative<Assign>(n.op) && in_state_[i][0].valid()) {
      mine = {buffer(n.in[0])};
    } else {
      place_step(i, n, mine);
    }
  }

  void place_step(size_t i, const Node& n, std::vector<int>& mine) {
    NodeStorage storage(graph_, n, layouts_);
    NodeView view = storage.view();
    KernelChoice choice = choose_kernel(target_, view);
    if (!choice.kernel) {
      std::string why;
      for (const auto& [kernel, reason] : choice.refusals) why += fmt::format("\n  {}: {}", kernel, reason);
      fail(ErrorKind::runtime, "lower", "{} has no kernel for {} \"{}\" with {}{}", target_.name, op_name(n.op), n.name,
           n.out.empty() ? "" : to_string(n.out[0]), why.empty() ? "; its list has none for this op" : why);
    }
    Step step;
    step.kernel = choice.kernel->name;
    step.op = n.op;
    step.name = n.name;
    step.block = n.block;
    for (Value v : n.in) step.in.push_back(buffer(v));
    for (size_t r = 0; r < n.out.size(); ++r) {  // a state's successor is the state, changed in place
      if (r < def(n.op).changes)
        mine.push_back(step.in[r]);
      else if (Value root = in_state_[i][r]; root.valid())
        mine.push_back(add_in_state(root, n.out[r]));
      else
        mine.push_back(add(Space::arena, next_storage_++, n.out[r]));
    }
    step.out = mine;
    if (choice.kernel->scratch_bytes) step.scratch_bytes = choice.kernel->scratch_bytes(view, target_);
    program_.steps.push_back(std::move(step));
  }

  const Graph& graph_;
  const Target& target_;
  bool keep_values_;
  std::vector<std::string_view> layouts_;
  std::vector<std::vector<int>> buffer_of_;
  std::vector<std::vector<Value>> in_state_;
  std::set<std::string> changing_;
  size_t next_storage_ = 0;
  Program program_;
};

}  // namespace

Program lower(const Graph& graph, const Target& target, int64_t max_T, bool keep_values) {
  if (max_T <= 0) return Lowering(graph, target, keep_values).run();
  Graph specialised = with_tokens(graph, max_T);
  return Lowering(specialised, target, keep_values).run();
}

}  // namespace motley
