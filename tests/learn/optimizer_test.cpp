// Optimizers against what PyTorch makes of the same weights and gradients over 50 steps (tools/make_optimizer_vectors.py).
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/bits.h"
#include "base/file.h"
#include "io/json.h"
#include "ir/text.h"
#include "learner.h"
#include "ops/builder.h"
#include "passes/update.h"

namespace motley {
namespace {

const Json& vectors() {
  static const std::string path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/optimizers.json";
  static const Json json = parse_json(read_file(path, 1 << 20), path);
  return json;
}

Tensor tensor(const Json& numbers, const Shape& shape) {
  std::vector<float> values;
  for (const auto& x : numbers) values.push_back(x.get<float>());
  return Tensor::of(shape, values);
}

const Shape kShapes[] = {{6, 5}, {7}};

// A step whose gradients are given: the matrix's and the vector's.
Graph one_step(const Json& c) {
  Graph empty;
  Builder b(std::move(empty));
  for (int i : {0, 1}) {
    Type type{Dtype::f32, fixed(kShapes[i])};
    b.step_state(fmt::format("w{}", i), type);
    b.output(b.step_input(fmt::format("g{}", i), type), fmt::format("grad w{}", i));
  }
  UpdateOptions options{.decays = [](std::string_view, const Type&) { return true; }};
  EXPECT_TRUE(op_from_name(c["op"].get<std::string>(), options.op));
  for (const auto& [field, value] : c["settings"].items()) EXPECT_TRUE(parse_field(options.op, field, value.get<std::string>())) << field;
  return add_updates(b.release(), options);
}

class Optimizers : public testing::TestWithParam<bool> {};

TEST_P(Optimizers, FollowPyTorchOverFiftySteps) {
  for (const auto& c : vectors()["cases"]) {
    Graph graph = one_step(c);
    StateLoader load = [&](const std::string& name) {
      return name == "w0" ? tensor(vectors()["start"][0], kShapes[0]) : name == "w1" ? tensor(vectors()["start"][1], kShapes[1]) : Tensor();
    };
    auto learner = GetParam() ? learn_on_cpu(graph, load, 2) : learn_by_reference(graph, load);
    for (int step = 1; step <= 50; ++step) {
      const Json& gradients = vectors()["gradients"][static_cast<size_t>(step - 1)];
      Learner::Inputs inputs = {{"lr", bits_of(c["lr"].get<float>())}, {"scale", bits_of(1.0f)}, {"step", {step}}};
      for (size_t i : {0, 1}) inputs[fmt::format("g{}", i)] = bits_of(tensor(gradients[i], kShapes[i]).data<float>());
      learner->step(inputs);
      auto recorded = c["after"].find(std::to_string(step));
      if (recorded == c["after"].end()) continue;
      for (size_t i : {0, 1}) {
        auto got = learner->state(fmt::format("w{}", i));
        double length = 0, error = 0;
        for (size_t j = 0; j < got.size(); ++j) {
          double expected = (*recorded)[i][j].get<double>();
          length += expected * expected;
          error += (got[j] - expected) * (got[j] - expected);
        }
        EXPECT_LE(std::sqrt(error), 1e-6 * std::sqrt(length)) << c["name"] << " after " << step << " steps, weight " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Optimizers, testing::Bool(), [](const auto& p) { return p.param ? "OnTheCpu" : "InTheReference"; });

TEST(Update, ClipsByTheLengthOfAllGradients) {
  Graph empty;
  Builder b(std::move(empty));
  for (int i : {0, 1}) {
    b.step_state(fmt::format("w{}", i), {Dtype::f32, {{1}}});
    b.output(b.step_input(fmt::format("g{}", i), {Dtype::f32, {{1}}}), fmt::format("grad w{}", i));
  }
  Graph graph = add_updates(b.release(), {.op = Sgd{}, .clip = 1});
  auto none = [](const std::string&) { return Tensor(); };
  for (bool cpu : {false, true}) {
    auto learner = cpu ? learn_on_cpu(graph, none, 1) : learn_by_reference(graph, none);
    auto step = [&](float first, float second) {
      return learner->step({{"lr", bits_of(1.0f)}, {"scale", bits_of(0.5f)}, {"g0", bits_of(first)}, {"g1", bits_of(second)}})["grad_norm"][0];
    };
    EXPECT_NEAR(step(6, 8), 5, 1e-6);  // scaled by a half, and five times too long
    EXPECT_NEAR(learner->state("w0")[0], -0.6, 1e-5);
    EXPECT_NEAR(learner->state("w1")[0], -0.8, 1e-5);
    EXPECT_NEAR(step(0.6f, 0.8f), 0.5, 1e-6);  // short enough: as it is
    EXPECT_NEAR(learner->state("w0")[0], -0.9, 1e-5);
    EXPECT_TRUE(std::isinf(step(INFINITY, 1)));  // an overflow is skipped
    EXPECT_NEAR(learner->state("w0")[0], -0.9, 1e-5);
    EXPECT_NEAR(learner->state("w1")[0], -1.2, 1e-5);
  }
}

}  // namespace
}  // namespace motley
