#include "passes/adversarial.h"

#include <array>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/builder.h"
#include "passes/autodiff.h"

namespace motley {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"none", "fgm", "pgd"};
constexpr double kPgdReach = 2.5;       // Madry et al. 2018, section 5: all steps together are 2.5 epsilon long
constexpr float kLeastSquare = 1e-30f;  // of a length that is divided by: without a gradient nothing moves

bool embeds_tokens(const Graph& graph, const Node& n) {
  if (!std::holds_alternative<Gather>(n.op)) return false;
  const Node& ids = graph.node(n.in[1]);
  return std::holds_alternative<Input>(ids.op) && ids.name == "tokens";
}

// The table may be quantised, and what is gathered of it is not.
Graph expand_behind_embeddings(const Graph& graph) {
  std::set<std::string> names;
  for (const Node& n : graph.nodes)
    if (embeds_tokens(graph, n)) names.insert(n.name);
  return expand_for_gradient(graph, [&](const Node& n) { return std::holds_alternative<Gather>(n.op) && names.contains(n.name); });
}

class Adding {
 public:
  Adding(const Graph& graph, const AdversarialOptions& options) : options_(options), b_(expand_behind_embeddings(graph)) {
    const Graph& g = b_.graph();
    for (const Output& o : g.outputs)
      if (o.name == "loss") loss_ = o.value;
    if (!loss_.valid()) fail(ErrorKind::usage, "adversarial", "the graph has no output 'loss'");
    std::vector<char> needed(g.nodes.size(), 0);
    needed[static_cast<size_t>(loss_.node)] = 1;
    for (size_t i = g.nodes.size(); i-- > 0;)
      for (Value v : g.nodes[i].in)
        if (needed[i]) needed[static_cast<size_t>(v.node)] = 1;
    for (size_t i = 0; i < g.nodes.size(); ++i)
      if (needed[i] && embeds_tokens(g, g.nodes[i])) embedded_.push_back({static_cast<int32_t>(i), 0});
    if (embedded_.empty()) fail(ErrorKind::usage, "adversarial", "the loss depends on no embedding of tokens, so there is nothing to move");
    moves_ = dependents(g, [&](const Node& n) { return embeds_tokens(g, n); });
    for (size_t i = 0; i < moves_.size(); ++i) moves_[i] = moves_[i] && needed[i];
  }

  Graph run() {
    const int64_t steps = options_.kind == Adversary::pgd ? options_.steps : 1;
    std::vector<Value> at = embedded_, away;
    Value loss = loss_;
    for (int64_t step = 0; step < steps; ++step) {
      mark();
      Value seed = options_.scaled ? b_.step_input("loss_scale", {Dtype::f32, {{1}}}) : b_.scalar(1);
      away = moved(away, gradients(b_, loss, seed, at), steps);
      b_.set_origin("adversarial", -1);
      for (size_t i = 0; i < at.size(); ++i) at[i] = b_.add(embedded_[i], away[i]);
      loss = forward(at);
    }
    b_.set_origin("loss", -1);
    b_.take_output("loss");
    b_.output(b_.add(loss_, loss), "loss");
    return without_dead(b_.release());
  }

 private:
  // What follows belongs to a backward part: constants to whoever differentiates the whole.
  void mark() { b_.set_origin("adversarial" + std::string(kBackward), -1); }

  // The forward part once more, from other embeddings.
  Value forward(const std::vector<Value>& embedded) {
    std::map<int32_t, std::vector<Value>> again;
    for (size_t i = 0; i < embedded.size(); ++i) again[embedded_[i].node] = {embedded[i]};
    for (int32_t i = 0; i < static_cast<int32_t>(moves_.size()); ++i) {
      if (!moves_[static_cast<size_t>(i)] || again.contains(i)) continue;
      Node n = b_.graph().nodes[static_cast<size_t>(i)];  // a copy: the graph grows
      for (Value& v : n.in)
        if (auto it = again.find(v.node); it != again.end()) v = it->second[static_cast<size_t>(v.result)];
      b_.set_origin(n.name + ".adversarial", n.block);
      again[i] = b_.emit_all(n.op, n.in);
    }
    return again.at(loss_.node)[static_cast<size_t>(loss_.result)];
  }

  // x [T, ...] of all embeddings -> [T, 1]: the sum of their squares over each token's sample. A query that likes every key alike gets the mean of
  // the values, and the logarithm of the scores' sum is that of their number. Padding gets 0.
  Value sample_squares(const std::vector<Value>& x) {
    Value squares;
    for (Value v : x) {
      Value one = b_.sum(b_.mul(v, v));
      squares = squares.valid() ? b_.add(squares, one) : one;
    }
    const Dim tokens = b_.type(squares).dim(0);
    const Type row{Dtype::i32, {tokens}};
    Value alike = b_.emit(Const{{tokens, {1}, {1}}, {0}}, {}), values = b_.reshape(squares, {tokens, {1}, {1}});
    auto mean = b_.emit_all(Attention{.causal = false}, {alike, alike, values, b_.step_input("positions", row), b_.step_input("seq", row)});
    Value each = b_.reshape(mean[0], {tokens, {1}}), count = b_.emit(Exp{}, {mean[1]});
    return b_.mul(each, count);
  }

  Value number(double x) { return b_.scalar(static_cast<float>(x)); }

  std::vector<Value> moved(const std::vector<Value>& away, const std::vector<Value>& gradient, int64_t steps) {
    mark();
    const bool one = options_.kind == Adversary::fgm;
    const double reach = one ? options_.epsilon : kPgdReach * options_.epsilon / static_cast<double>(steps);
    Value squares = sample_squares(gradient), least = b_.scalar(kLeastSquare);
    Value inverse = b_.emit(Rsqrt{}, {b_.add(squares, least)}), far = number(reach);
    Value scale = b_.mul(inverse, far);
    std::vector<Value> to;
    for (size_t i = 0; i < gradient.size(); ++i) {
      Value step = b_.mul(gradient[i], scale);
      to.push_back(away.empty() ? step : b_.add(away[i], step));
    }
    if (one) return to;
    Value length = b_.emit(Sqrt{}, {sample_squares(to)});
    Value most = number(options_.epsilon);
    Value shorten = b_.div(most, b_.emit(Maximum{}, {length, most}));
    for (Value& v : to) v = b_.mul(v, shorten);
    return to;
  }

  AdversarialOptions options_;
  Builder b_;
  Value loss_;
  std::vector<Value> embedded_;
  std::vector<char> moves_;  // by node of the forward part: it depends on the embeddings, and the loss on it
};

}  // namespace

std::string_view to_string(Adversary kind) { return kNames[static_cast<size_t>(kind)]; }

std::optional<Adversary> parse_adversary(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Adversary>(i);
  return std::nullopt;
}

Graph adversarial(const Graph& graph, const AdversarialOptions& options) {
  if (options.kind == Adversary::none) return graph;
  if (!(options.epsilon > 0) || !std::isfinite(options.epsilon))
    fail(ErrorKind::usage, "adversarial", "epsilon should be above 0, not {}", options.epsilon);
  if (options.steps < 1 || options.steps > 100) fail(ErrorKind::usage, "adversarial", "steps should be 1 to 100, not {}", options.steps);
  return Adding(graph, options).run();
}

}  // namespace motley
