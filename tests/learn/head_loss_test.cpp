// The loss fused with the head: the same bits as without, less memory, on models as they are.
#include "passes/head_loss.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/target.h"
#include "base/random.h"
#include "control/learning.h"
#include "ops/builder.h"
#include "passes/autodiff.h"
#include "passes/pipeline.h"
#include "tiny_model.h"

namespace motley {
namespace {

// x w' and its loss; x and w learn.
Graph head(int64_t rows, int64_t width, int64_t classes) {
  Builder b{Graph()};
  Value x = b.step_state("x", {Dtype::f32, {{rows}, {width}}}), w = b.step_state("w", {Dtype::f32, {{classes}, {width}}});
  Value logits = b.matmul(x, w);
  auto loss = b.emit_all(CrossEntropy{}, {logits, b.step_input("targets", {Dtype::i32, {{rows}}})});
  b.output(loss[0], "loss");
  b.output(loss[1], "weight");
  return b.take();
}

Tensor normal_values(uint64_t stream, const Shape& shape, float scale) {
  Tensor t = Tensor::zeros(Dtype::f32, shape);
  for (size_t i = 0; auto& v : t.mutable_data<float>()) v = scale * philox_normal(7, stream, i++);
  return t;
}

constexpr int64_t kRows = 300, kWidth = 8, kClasses = 66000;  // so many that 256 rows are a part: there are two

std::map<std::string, std::vector<double>> step(const Graph& graph, bool ignore, int threads) {
  StateLoader load = [](const std::string& name) {
    return name == "x" ? normal_values(1, {kRows, kWidth}, 1) : normal_values(2, {kClasses, kWidth}, 0.5f);
  };
  Learner::Inputs in;
  for (int32_t r = 0; r < kRows; ++r) in["targets"].push_back(ignore && r % 3 ? kIgnoreTarget : r * 211 % static_cast<int32_t>(kClasses));
  return learn_on_cpu(graph, load, threads)->step(in);
}

TEST(HeadLossOnTheCpu, HasTheBitsOfItsParts) {
  Graph graph = head(kRows, kWidth, kClasses), fused = autodiff(fuse_head_loss(graph), {}), plain = autodiff(graph, {});
  auto expected = step(plain, false, 2), got = step(fused, false, 2), alone = step(fused, false, 1);
  ASSERT_EQ(expected.size(), 4u);
  for (const auto& [name, value] : expected) {
    EXPECT_EQ(value, got[name]) << name;
    EXPECT_EQ(alone[name], got[name]) << name;
  }
}

TEST(HeadLossOnTheCpu, LeavesOutRowsWhoseTargetIsIgnored) {
  Graph graph = head(kRows, kWidth, kClasses);
  auto expected = step(autodiff(graph, {}), true, 2), got = step(autodiff(fuse_head_loss(graph), {}), true, 2);
  EXPECT_EQ(got["weight"][0], 100);
  for (const auto& [name, value] : expected)
    EXPECT_LE(distance(value, got[name]), 1e-5 * peak(value)) << name;  // the sum over rows has another order
  for (size_t i = 0; i < static_cast<size_t>(kWidth); ++i) EXPECT_EQ(got["grad x"][static_cast<size_t>(kWidth) + i], 0);
}

TEST(HeadLossOnTheCpu, KeepsNoLogitsOfAllRows) {
  Graph graph = head(1024, 64, 50257);
  Target target = cpu_target({.threads = 2});
  int64_t logits = int64_t{1024} * 50257 * 4;
  int64_t before = compile(autodiff(graph, {}), target, {}).programs[0].arena_bytes;
  int64_t after = compile(autodiff(fuse_head_loss(graph), {}), target, {}).programs[0].arena_bytes;
  EXPECT_GT(before, 2 * logits);
  EXPECT_LT(after, before * 2 / 5);
  RecordProperty("arena_bytes_before", std::to_string(before));
  RecordProperty("arena_bytes_after", std::to_string(after));
}

TEST(HeadLossOnTheCpu, OfModelsIsTheirLoss) {
  for (const char* name : {"gpt2", "gemma2", "llama3"}) {  // tied, with a soft cap, with a head of its own
    ModelSource source = source_of(name);
    StateLoader load = [&](const std::string& state) { return read_state(source, state); };
    Graph graph = objective(source, kTokens), fused = fuse_head_loss(graph);
    EXPECT_NE(graph.nodes.size(), fused.nodes.size()) << name;
    auto expected = learn_by_reference(autodiff(graph, {}), load)->step(batch(source));
    for (bool cpu : {false, true}) {
      Graph learning = autodiff(fused, {});
      auto got = (cpu ? learn_on_cpu(learning, load, 2) : learn_by_reference(learning, load))->step(batch(source));
      for (const auto& [output, value] : expected)
        EXPECT_LE(distance(value, got[output]), (cpu ? 2e-5 : 1e-12) * peak(value) + 1e-9) << name << " " << output;
    }
  }
}

TEST(HeadLossOnTheCpu, IsWhatTheProgramsOfATrainingRunHave) {
  ModelSource source = source_of("llama3");
  const Graph graph = objective(source, kTokens);
  for (Recompute mode : {Recompute::none, Recompute::full}) {
    LearningPrograms programs = compile_learning(graph, graph, cpu_target({.threads = 2, .packed = false}), {.update = {}, .several = true, .recompute = mode});
    for (const Program* p : {&programs.first, &programs.more, &programs.evaluate}) {
      auto count = [&](size_t op) { return std::ranges::count_if(p->steps, [&](const Step& s) { return s.op.index() == op; }); };
      EXPECT_EQ(count(op_index<HeadLoss>()), 1);
      EXPECT_EQ(count(op_index<CrossEntropy>()), 0);
    }
  }
}

}  // namespace
}  // namespace motley
