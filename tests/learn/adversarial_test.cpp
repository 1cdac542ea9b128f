// Adversarial training: the gradient is that of both losses with the perturbation held constant, every sample is moved as far as it is told to, and
// how a batch is split changes nothing.
#include "passes/adversarial.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/bits.h"
#include "ops/builder.h"
#include "passes/autodiff.h"
#include "passes/precision.h"
#include "tiny_model.h"

namespace motley {
namespace {

constexpr AdversarialOptions kFgm{.kind = Adversary::fgm, .epsilon = 0.3}, kPgd{.kind = Adversary::pgd, .epsilon = 0.3, .steps = 3};

StateLoader loader(const ModelSource& source) {
  return [source](const std::string& state) { return read_state(source, state); };
}

// The node that adds the last perturbation to the embedding.
int32_t last_move(const Graph& graph) {
  int32_t at = -1;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (graph.nodes[i].name == "adversarial") at = static_cast<int32_t>(i);
  EXPECT_GE(at, 0);
  return at;
}

std::vector<double> perturbation(Graph graph, const ModelSource& source, const Learner::Inputs& in) {
  graph.outputs.push_back({graph.nodes[static_cast<size_t>(last_move(graph))].in[1], "away"});
  return learn_by_reference(graph, loader(source))->step(in)["away"];
}

// The same with the perturbation from outside.
Graph with_given_perturbation(const Graph& graph) {
  const int32_t move = last_move(graph);
  return without_dead(rebuild(graph, [&](Graph& to, const Node& n, int32_t old) -> std::vector<Value> {
    Node copy = n;
    if (old == move) copy.in[1] = to.push({Input{}, {}, {n.out[0]}, "away", -1});
    return copy_node(to, copy);
  }));
}

TEST(AdversarialLearning, TheGradientIsThatOfBothLossesWithThePerturbationHeld) {
  ModelSource source = source_of("llama3");
  const Graph plain = objective(source, kTokens);
  for (const AdversarialOptions& options : {kFgm, kPgd}) {
    const Graph graph = adversarial(plain, options);
    auto in = batch(source);
    auto gradients = learn_by_reference(autodiff(graph, {}), loader(source))->step(in);
    std::vector<float> away;
    for (double v : perturbation(graph, source, in)) away.push_back(static_cast<float>(v));
    in["away"] = bits_of(away);
    const Graph held = with_given_perturbation(graph);
    int checked = 0;
    for (const auto& [output, gradient] : gradients) {
      if (!output.starts_with(kGradientOutput) || output.find("layers.0") == std::string::npos) continue;
      const std::string name = output.substr(kGradientOutput.size());
      const size_t element = static_cast<size_t>(std::ranges::max_element(gradient, {}, [](double g) { return std::fabs(g); }) - gradient.begin());
      std::array<double, 2> loss{}, at{};
      for (size_t side = 0; side < 2; ++side) {
        auto moved = [&](const std::string& state) {
          const Tensor lent = read_state(source, state);
          if (state != name) return lent;
          Tensor own = Tensor::zeros(lent.dtype(), lent.shape());
          std::ranges::copy(lent.data<float>(), own.mutable_data<float>().begin());
          float& w = own.mutable_data<float>()[element];
          w += side == 0 ? -1e-3f : 1e-3f;
          at[side] = static_cast<double>(w);
          return own;
        };
        loss[side] = learn_by_reference(held, moved)->step(in)["loss"][0];
      }
      EXPECT_NEAR((loss[1] - loss[0]) / (at[1] - at[0]), gradient[element], 1e-4 * (std::fabs(gradient[element]) + 0.1)) << name;
      ++checked;
    }
    EXPECT_GE(checked, 5);
  }
}

TEST(AdversarialLearning, EverySampleIsMovedToWhereItsLossIsHigher) {
  ModelSource source = source_of("gpt2");
  const auto in = batch(source);
  for (const AdversarialOptions& options : {kFgm, kPgd}) {
    const Graph graph = adversarial(objective(source, kTokens), options);
    const auto away = perturbation(graph, source, in);
    const size_t width = away.size() / kTokens;
    std::map<int32_t, double> squares;
    for (size_t t = 0; t < kTokens; ++t)
      for (size_t i = 0; i < width; ++i) squares[in.at("seq")[t]] += away[t * width + i] * away[t * width + i];
    EXPECT_EQ(squares.size(), 3u);
    EXPECT_EQ(squares[-1], 0) << "padding stays";
    for (int32_t sample : {0, 13}) EXPECT_NEAR(std::sqrt(squares[sample]), options.epsilon, 1e-5);
    auto loss = [&](const Graph& g) { return learn_by_reference(g, loader(source))->step(in)["loss"][0]; };
    const double clean = loss(objective(source, kTokens));
    EXPECT_GT(loss(graph), 2 * clean * 1.01);
  }
}

TEST(AdversarialLearning, AnySplitOfTheSamplesGivesTheSameGradient) {
  ModelSource source = source_of("llama3");
  Learner::Inputs whole = batch(source), first = whole, second = whole;
  for (size_t t = 0; t < kTokens; ++t) {  // each half has one sample, and padding in the place of the other
    Learner::Inputs& without = whole["seq"][t] == 0 ? second : first;
    without["seq"][t] = -1, without["targets"][t] = kIgnoreTarget, without["positions"][t] = 0;
  }
  for (const AdversarialOptions& options : {kFgm, kPgd}) {
    auto learner = learn_by_reference(autodiff(adversarial(objective(source, kTokens), options), {}), loader(source));
    auto expected = learner->step(whole), a = learner->step(first), b = learner->step(second);
    for (auto& [name, values] : expected) {
      for (size_t i = 0; i < values.size(); ++i) a[name][i] += b[name][i];
      EXPECT_LT(distance(a[name], values), 1e-9 * (1 + peak(values))) << name;
    }
  }
}

// Gradients below what F16 can hold move nothing; the loss scale lifts them, and the perturbation is that of F32.
TEST(AdversarialLearning, SmallGradientsMoveTheEmbeddingInF16AsInF32) {
  ModelSource source = source_of("gpt2");
  Builder b(objective(source, kTokens));
  Value loss = b.take_output("loss");
  b.output(b.mul(loss, b.scalar(0x1p-26f)), "loss");
  const Graph small = b.take();
  auto losses = [&](AdversarialOptions options, const PrecisionPlan& plan, float scale) {
    options.scaled = true;
    auto in = batch(source);
    in["loss_scale"] = bits_of(scale);
    const Graph graph = mixed_precision(autodiff(adversarial(small, options), {.scaled = true}), plan);
    return learn_on_cpu(graph, loader(source), 2)->step(in)["loss"][0] * 0x1p26;
  };
  const double clean = learn_by_reference(objective(source, kTokens), loader(source))->step(batch(source))["loss"][0];
  for (const AdversarialOptions& options : {kFgm, kPgd}) {
    const double exact = losses(options, {.usual = Dtype::f32}, 1), lifted = losses(options, {.usual = Dtype::f16}, 0x1p26f),
                 vanished = losses(options, {.usual = Dtype::f16}, 1);
    const double gain = exact - 2 * clean;
    EXPECT_GT(gain, 0.02 * clean);
    EXPECT_NEAR(lifted, exact, 0.05 * gain);
    EXPECT_LT(vanished, exact - 0.5 * gain) << "without a scale there was nothing to go by";
    EXPECT_NEAR(losses(options, {.usual = Dtype::f32}, 0x1p10f), exact, 1e-4 * exact) << "where nothing vanishes the scale changes nothing";
  }
}

TEST(AdversarialLearning, TheCpuComputesTheReference) {
  for (const char* name : {"gpt2", "llama3", "gemma2"}) {
    ModelSource source = source_of(name);
    for (const AdversarialOptions& options : {kFgm, kPgd}) {
      const Graph learning = autodiff(adversarial(objective(source, kTokens), options), {});
      auto expected = learn_by_reference(learning, loader(source))->step(batch(source));
      auto got = learn_on_cpu(learning, loader(source), 2)->step(batch(source));
      // Dividing by a gradient's length carries its rounding on.
      for (const auto& [output, values] : expected) EXPECT_LT(distance(got[output], values), 1e-3 * peak(values) + 1e-6) << name << " " << output;
    }
  }
}

}  // namespace
}  // namespace motley
