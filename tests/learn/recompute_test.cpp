// Computing forward values again changes no bit and needs less memory.
#include "passes/recompute.h"

#include <gtest/gtest.h>

#include "backends/cpu/target.h"
#include "nn/families.h"
#include "nn/shapes.h"
#include "ops/builder.h"
#include "passes/adapt.h"
#include "passes/autodiff.h"
#include "passes/head_loss.h"
#include "tiny_model.h"

namespace motley {
namespace {

TEST(RecomputeOnTheCpu, GradientsKeepTheirBits) {
  for (const char* name : {"gpt2", "llama3", "gemma2", "mixtral"}) {
    ModelSource source = source_of(name);
    StateLoader load = [&](const std::string& state) { return read_state(source, state); };
    Graph learning = autodiff(objective(source, kTokens), {});
    auto expected = learn_on_cpu(learning, load, 2)->step(batch(source));
    for (Recompute mode : {Recompute::selective, Recompute::full}) {
      Graph again = recompute(learning, mode);
      EXPECT_GT(again.nodes.size(), learning.nodes.size()) << name;
      auto got = learn_on_cpu(again, load, 2)->step(batch(source));
      for (const auto& [output, value] : expected) EXPECT_EQ(value, got[output]) << name << " " << to_string(mode) << " " << output;
    }
  }
}

TEST(RecomputeOnTheCpu, DropoutDrawsTheSameMaskAgain) {
  ModelSource source = source_of("llama3");
  Adapter lora{.targets = {"all-linear"}, .rank = 4, .dropout = 0.4f};
  Graph graph = with_loss(adapt(learning_model(source, kTokens), lora, {.learns = true}), kTokens);
  std::map<std::string, Type> types;
  for (const Node& n : graph.nodes)
    if (is_adapter_state(n.name)) types[n.name] = n.out[0];
  StateLoader load = [&](const std::string& name) {
    if (!types.contains(name)) return read_state(source, name);
    Tensor t = Tensor::zeros(Dtype::f32, bind(types[name].shape, {}));
    for (size_t i = 0; auto& v : t.mutable_data<float>()) v = 0.05f * static_cast<float>(static_cast<int>(i++ % 9) - 4);
    return t;
  };
  Graph learning = autodiff(graph, {.learns = adapter_learns(lora, graph)});
  auto in = batch(source);
  in["dropout_key"] = {3, 0, 1, 0};
  auto expected = learn_on_cpu(learning, load, 2)->step(in), got = learn_on_cpu(recompute(learning, Recompute::full), load, 2)->step(in);
  for (const auto& [output, value] : expected) EXPECT_EQ(value, got[output]) << output;
  in["dropout_key"] = {3, 0, 2, 0};
  EXPECT_NE(learn_on_cpu(learning, load, 2)->step(in)["loss"], expected["loss"]) << "another step draws another mask";
}

TEST(RecomputeOnTheCpu, NeedsLessMemoryByMode) {
  ModelConfig config = *find_shape("smollm2-135m");
  constexpr int64_t kBatchTokens = 1024;
  Builder b({.mode = BuildMode::learn, .tokens = kBatchTokens}, [](const std::string&) { return Type{Dtype::f32, {}}; });
  build_model(b, config);
  Graph learning = autodiff(fuse_head_loss(with_loss(b.take(), kBatchTokens)), {});
  Target target = cpu_target({.threads = 2});
  RecomputeChoice roomy = choose_recompute(learning, target, int64_t{1} << 40);
  EXPECT_EQ(roomy.mode, Recompute::none);
  auto [none, selective, full] = roomy.arena_bytes;
  // Gradients of all weights are outputs and lie in the arena too: they are no part of what is saved.
  const int64_t gradients = count_parameters(config) * 4;
  EXPECT_LT(selective - gradients, (none - gradients) * 3 / 4);
  EXPECT_LT(full - gradients, (selective - gradients) * 2 / 3);
  for (auto [bytes, mode] : {std::pair{none, "none"}, std::pair{selective, "selective"}, std::pair{full, "full"}})
    RecordProperty(std::string("arena_bytes_") + mode, std::to_string(bytes));
  EXPECT_EQ(choose_recompute(learning, target, none - 1).mode, Recompute::selective);
  EXPECT_EQ(choose_recompute(learning, target, selective - 1).mode, Recompute::full);
  EXPECT_FALSE(choose_recompute(learning, target, full - 1).fits);
}

}  // namespace
}  // namespace motley
