#include "passes/update.h"

#include "base/error.h"
#include "ir/text.h"
#include "ops/builder.h"
#include "passes/autodiff.h"

namespace motley {
namespace {

const Type kScalar{Dtype::f32, {{1}}};

// The scale shortened so that all gradients together are at most `clip` long. An infinite length gives NaN, so that the step is skipped.
Value clipped(Builder& b, Value scale, Value norm, float clip) {
  Value share = b.div(b.scalar(clip), b.add(norm, b.scalar(1e-6f)));
  Value at_most_one = b.sub(b.scalar(1), b.emit(Maximum{}, {b.sub(b.scalar(1), share), b.scalar(0)}));
  return b.add(b.mul(scale, at_most_one), b.mul(norm, b.scalar(0)));
}

// One state's update: its own states after it, then what its op asks for.
void update(Builder& b, const LearnedState& l, Op op, Value lr, Value scale, const UpdateOptions& options) {
  const Type type = b.type(l.state);
  if (bool decays = options.decays ? options.decays(l.name, type) : type.rank() >= 2; !decays)
    std::visit(
        [](auto& o) {
          if constexpr (requires { o.decay; }) o.decay = 0;
        },
        op);
  std::vector<Value> in = {l.state};
  std::vector<std::string> names = {l.name};
  auto state = [&](const char* kind, const Dims& shape) {
    names.push_back(fmt::format("{}{}.{}", kOptimizerState, kind, l.name));
    in.push_back(b.step_state(names.back(), {Dtype::f32, shape}));
  };
  bool counts = true;
  if (std::holds_alternative<Adamw>(op)) {
    state("m", type.shape);
    state("v", type.shape);
  } else if (std::holds_alternative<Sgd>(op)) {
    counts = false;
  } else if (std::holds_alternative<SgdMomentum>(op)) {
    state("m", type.shape);
  } else if (std::holds_alternative<Lion>(op)) {
    state("m", type.shape);
    counts = false;
  } else if (const auto* factor = std::get_if<Adafactor>(&op)) {
    if (type.rank() >= 2) {
      Dims rows = type.shape, columns = type.shape;
      rows.pop_back();
      columns.erase(columns.end() - 2);
      state("rows", rows);
      state("columns", columns);
    } else {
      op = AdafactorVector{factor->power, factor->eps1, factor->eps2, factor->clip, factor->decay};
      state("v", type.shape);
    }
  } else {
    fail(ErrorKind::usage, "update", "{} is no optimizer", op_name(op));
  }
  in.push_back(l.grad);
  in.push_back(lr);
  if (counts) in.push_back(b.step_input("step", {Dtype::i32, {{1}}}));
  in.push_back(scale);
  b.set_origin(l.name + ".update", b.graph().node(l.state).block);
  auto after = b.emit_all(op, in);
  for (size_t i = 0; i < names.size(); ++i) b.update(after[i], names[i]);
}

}  // namespace

Graph add_updates(const Graph& graph, const UpdateOptions& options) {
  Graph whole = graph;
  auto learned = take_gradients(whole);
  Builder b(std::move(whole));
  b.set_origin("update", -1);
  Value lr = b.step_input("lr", kScalar), scale = b.step_input("scale", kScalar), squares;
  for (const LearnedState& l : learned) {
    Value one = b.emit(SquareSum{}, {l.grad});
    squares = squares.valid() ? b.add(squares, one) : one;
  }
  Value norm = b.mul(b.emit(Sqrt{}, {squares}), scale);
  b.output(norm, "grad_norm");
  if (options.clip > 0) scale = clipped(b, scale, norm, options.clip);
  for (const LearnedState& l : learned) update(b, l, options.op, lr, scale, options);
  return b.take();
}

}  // namespace motley
