#include "passes/precision.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/error.h"
#include "motley/error.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "passes/autodiff.h"
#include "passes/recompute.h"

namespace motley {
namespace {

// The forward part and the backward part widen a value each for themselves, or it would live from one to the other at full width.
int part_of(const Node& n) { return is_backward(n) || is_repeated(n); }

// An old value in the new graph.
struct Stored {
  Value wide;                      // as the op gave it; not valid where it was rounded
  std::map<Dtype, Value> rounded;  // by format
  Value widened[2];                // from the rounded one, by part
  Dtype format = Dtype::f32;       // what it is between its op and its readers
};

class Rounding {
 public:
  Rounding(const Graph& graph, const PrecisionPlan& plan) : graph_(graph), plan_(plan), b_(Graph()), stored_(graph.nodes.size()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) stored_[i].resize(graph.nodes[i].out.size());
    for (const auto* list : {&graph.outputs, &graph.updates})
      for (const auto& o : *list) given_out_.insert({o.value.node, o.value.result});
  }

  Graph run() {
    for (size_t i = 0; i < graph_.nodes.size(); ++i) place(static_cast<int32_t>(i));
    for (const auto& o : graph_.outputs) b_.output(at(o.value).wide, o.name);
    for (const auto& u : graph_.updates) b_.update(at(u.value).wide, u.name);
    if (plan_.watch) report();
    return without_dead(b_.release());
  }

 private:
  struct Watched {
    Value peak, before, after, square, error;
  };

  Stored& at(Value v) { return stored_[static_cast<size_t>(v.node)][static_cast<size_t>(v.result)]; }

  void place(int32_t index) {
    const Node& old = graph_.nodes[static_cast<size_t>(index)];
    const Dtype format = plan_.of(old.block);
    const Precision bears = def(old.op).precision;
    Node n = old;
    for (size_t i = 0; i < n.in.size(); ++i) {
      const bool low = format != Dtype::f32 && bears == Precision::low && graph_.type(old.in[i]).dtype == Dtype::f32;
      n.in[i] = low ? read_rounded(old, i, format) : read(old.in[i], old);
    }
    const bool rounds = format != Dtype::f32 && !old.in.empty() && (bears == Precision::low || (bears == Precision::follows && reads_rounded(old)));
    auto values = push(n);
    for (size_t r = 0; r < values.size(); ++r) {
      Stored& s = stored_[static_cast<size_t>(index)][r];
      const bool rounded = rounds && old.out[r].dtype == Dtype::f32 && !given_out_.contains({index, static_cast<int32_t>(r)});
      s.wide = values[r];
      if (!rounded) continue;
      s.format = format;
      round(s, old, format, old.block);
      s.wide = {};
    }
  }

  // Nodes are taken over with their results' types; only weights may have become 16 bits, which no result depends on.
  std::vector<Value> push(Node n) {
    Graph g = b_.release();
    auto values = copy_node(g, n);
    b_ = Builder(std::move(g));
    return values;
  }

  Value cast(Value v, Dtype to, const std::string& name, int block) {
    b_.set_origin(name, block);
    return b_.emit(Cast{to}, {v});
  }

  // For `block`, which its watch counts it to.
  void round(Stored& s, const Node& owner, Dtype format, int block) {
    if (s.rounded.contains(format)) return;
    s.rounded[format] = cast(s.wide, format, owner.name, owner.block);
    if (plan_.watch && is_backward(owner)) watch(s, owner, format, block);
  }

  // As f32, for any reader.
  Value read(Value v, const Node& reader) {
    Stored& s = at(v);
    if (s.format == Dtype::f32) return s.wide;
    return widen(s, s.format, graph_.node(v), reader);
  }

  Value widen(Stored& s, Dtype format, const Node& owner, const Node& reader) {
    const int part = part_of(reader);
    Value& wide = s.format == format ? s.widened[part] : narrowed_[{s.rounded.at(format).node, part}];
    if (!wide.valid()) {
      std::string name = owner.name;
      if (part && !part_of(owner)) name += kAgain;  // or simplify would take it for the forward part's
      wide = cast(s.rounded.at(format), Dtype::f32, name, owner.block);
    }
    return wide;
  }

  // Input i of an op that multiplies small values: as it is where the op takes 16 bits there, else rounded and widened.
  Value read_rounded(const Node& reader, size_t i, Dtype format) {
    const Value v = reader.in[i];
    Stored& s = at(v);
    const Node& owner = graph_.node(v);
    if (s.format != Dtype::f32 && s.format != format) {  // of a block in another format
      Value wide = read(v, reader);
      return cast(cast(wide, format, owner.name, reader.block), Dtype::f32, owner.name + std::string(part_of(reader) ? kAgain : ""), reader.block);
    }
    if (s.format == Dtype::f32) round(s, owner, format, reader.block);
    return takes(reader, i, format) ? s.rounded.at(format) : widen(s, format, owner, reader);
  }

  // The definition is asked.
  bool takes(const Node& n, size_t i, Dtype format) const {
    Types types;
    for (Value v : n.in) types.push_back(graph_.type(v));
    types[i].dtype = format;
    try {
      return infer_types(n.op, types) == n.out;
    } catch (const Error&) {
      return false;
    }
  }

  // Whether all that a node reads is of 16 bits, apart from weights and numbers.
  bool reads_rounded(const Node& n) {
    bool any = false;
    for (Value v : n.in) {
      const Node& from = graph_.node(v);
      if (graph_.type(v).dtype != Dtype::f32 || std::holds_alternative<State>(from.op) || max_elements(graph_.type(v).shape) == 1) continue;
      if (std::holds_alternative<Const>(from.op)) continue;
      if (at(v).format == Dtype::f32) return false;
      any = true;
    }
    return any;
  }

  // Of one gradient that was rounded: its largest magnitude, how many of its elements are not zero before and after, and the squares of it and of
  // what rounding changed.
  void watch(Stored& s, const Node& n, Dtype format, int block) {
    Value after = widen(s, format, n, n);
    b_.set_origin(n.name, n.block);
    Value square = b_.emit(SquareSum{}, {s.wide}), change = b_.sub(s.wide, after), error = b_.emit(SquareSum{}, {change});
    const Dims flat = {{max_elements(b_.type(s.wide).shape)}};
    auto size = [&](Value v) {
      Value x = b_.reshape(v, flat);
      return b_.emit(Maximum{}, {x, b_.emit(Neg{}, {x})});
    };
    auto count = [&](Value magnitude) {
      Value zero = b_.scalar(0);
      return b_.sum(b_.emit(Less{}, {zero, magnitude}), 0);
    };
    Value before = size(s.wide);
    after = size(after);
    Value peak = b_.emit(ReduceMax{0}, {before});
    before = count(before);
    after = count(after);
    Watched& w = watched_[block];
    w.peak = w.peak.valid() ? b_.emit(Maximum{}, {w.peak, peak}) : peak;
    w.before = w.before.valid() ? b_.add(w.before, before) : before;
    w.after = w.after.valid() ? b_.add(w.after, after) : after;
    w.square = w.square.valid() ? b_.add(w.square, square) : square;
    w.error = w.error.valid() ? b_.add(w.error, error) : error;
  }

  void report() {
    for (const auto& [block, w] : watched_) {
      b_.set_origin(fmt::format("block {}{}", block, kBackward), block);
      b_.output(w.peak, fmt::format("{}{}", kPeakOutput, block));
      Value one = b_.scalar(1), lost = b_.sub(w.before, w.after), all = b_.emit(Maximum{}, {w.before, one});
      b_.output(b_.div(lost, all), fmt::format("{}{}", kLostOutput, block));
      Value least = b_.scalar(std::numeric_limits<float>::min()), square = b_.emit(Maximum{}, {w.square, least});
      b_.output(b_.emit(Sqrt{}, {b_.div(w.error, square)}), fmt::format("{}{}", kNoiseOutput, block));
    }
  }

  const Graph& graph_;
  const PrecisionPlan& plan_;
  Builder b_;
  std::vector<std::vector<Stored>> stored_;
  std::set<std::pair<int32_t, int32_t>> given_out_;
  std::map<std::pair<int32_t, int>, Value> narrowed_;  // values of f32 blocks rounded for one reader's format, widened again, by part
  std::map<int, Watched> watched_;
};

void expect_known(Dtype format) {
  if (format != Dtype::f32 && format != Dtype::bf16 && format != Dtype::f16)
    fail(ErrorKind::usage, "precision", "blocks compute in f32, bf16 or f16, not {}", name(format));
}

}  // namespace

Dtype PrecisionPlan::of(int block) const {
  if (auto it = blocks.find(block); it != blocks.end()) return it->second;
  return block < 0 ? Dtype::f32 : usual;
}

bool PrecisionPlan::computes_in(Dtype dtype) const {
  return usual == dtype || std::ranges::any_of(blocks, [&](const auto& b) { return b.second == dtype; });
}

Graph mixed_precision(const Graph& learning, const PrecisionPlan& plan) {
  expect_known(plan.usual);
  for (const auto& [block, format] : plan.blocks) expect_known(format);
  return Rounding(learning, plan).run();
}

PrecisionAdvice advise_precision(const Target& target) {
  auto native = [&](Dtype d) { return std::ranges::find(target.native_floats, d) != target.native_floats.end(); };
  if (native(Dtype::bf16)) return {Dtype::bf16, fmt::format("{} multiplies bf16 faster than f32, and bf16 has the range of f32", target.name)};
  if (native(Dtype::f16))
    return {Dtype::f16, fmt::format("{} multiplies f16 faster than f32; the loss is scaled so that small gradients stay", target.name)};
  return {Dtype::f32, fmt::format("{} ({}) has no products of 16-bit floats: each value would be rounded and widened again, which only takes time",
                                  target.name, target.isa.empty() ? target.kind : target.isa)};
}

}  // namespace motley
