// The models of nn/ learn as they stand: built in the Builder's learn mode, differentiated, updated; on the CPU as in the reference.
#include <gtest/gtest.h>

#include "base/bits.h"
#include "ir/text.h"
#include "nn/families.h"
#include "passes/autodiff.h"
#include "passes/update.h"
#include "tiny_model.h"

namespace motley {
namespace {

class Learning : public testing::TestWithParam<const char*> {};

TEST_P(Learning, GradientsOnTheCpuAreThoseOfTheReference) {
  ModelSource source = source_of(GetParam());
  Graph graph = autodiff(objective(source, kTokens), {});
  StateLoader load = [&](const std::string& name) { return read_state(source, name); };
  auto expected = learn_by_reference(graph, load)->step(batch(source)), got = learn_on_cpu(graph, load, 2)->step(batch(source));
  EXPECT_EQ(expected.size(), got.size());
  EXPECT_GT(expected.size(), 10u);
  for (const auto& [name, value] : expected) {
    // Some hundred roundings on the way, relative to the largest of the tensor.
    EXPECT_LE(distance(value, got[name]), 2e-5 * peak(value) + 1e-9) << name;
    EXPECT_TRUE(peak(value) > 0 || name.find("k_proj.bias") != std::string::npos) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Learning,
                         testing::Values("gpt2", "llama3", "gemma2", "gemma3", "qwen3", "qwen3-moe", "mixtral", "gpt-neox", "phi3"),
                         [](const auto& p) {
                           std::string name = p.param;
                           std::erase_if(name, [](char c) { return c == '-'; });
                           return name;
                         });

TEST(LearningSteps, FallAndFollowTheReference) {
  for (const char* name : {"gpt2", "llama3"}) {
    ModelSource source = source_of(name);
    Graph graph = add_updates(autodiff(objective(source, kTokens), {}), {.op = Adamw{.decay = 0.01}, .clip = 1});
    StateLoader load = [&](const std::string& state) { return source.types(state) ? read_state(source, state) : Tensor(); };
    auto reference = learn_by_reference(graph, load), two = learn_on_cpu(graph, load, 2), one = learn_on_cpu(graph, load, 1);
    double first = 0, last = 0;
    for (int step = 1; step <= 6; ++step) {
      auto in = batch(source);
      in["lr"] = bits_of(0.01f), in["step"] = {step}, in["scale"] = bits_of(1.0f / 16);
      auto expected = reference->step(in), got = two->step(in), alone = one->step(in);
      last = expected["loss"][0];
      if (step == 1) first = last;
      EXPECT_EQ(expected["weight"][0], got["weight"][0]);
      EXPECT_NEAR(got["loss"][0], last, 1e-4 * last) << name << " step " << step;
      EXPECT_EQ(got["loss"][0], alone["loss"][0]) << "the number of threads changes no bit";
      EXPECT_EQ(got["grad_norm"][0], alone["grad_norm"][0]);
    }
    EXPECT_LT(last, 0.8 * first) << name;
  }
}

TEST(LearningSteps, AnUnevenSplitOfABatchGivesTheSameGradient) {
  ModelSource source = source_of("llama3");
  StateLoader load = [&](const std::string& name) { return read_state(source, name); };
  auto gradients_of = [&](int64_t first, int64_t tokens) {
    return learn_by_reference(autodiff(objective(source, tokens), {}), load)->step(batch(source, first, tokens));
  };
  auto whole = gradients_of(0, 24), left = gradients_of(0, 13), right = gradients_of(13, 11);
  EXPECT_EQ(whole["weight"][0], left["weight"][0] + right["weight"][0]);
  for (const auto& [name, value] : whole)
    for (size_t i = 0; i < value.size(); ++i) EXPECT_NEAR(value[i], left[name][i] + right[name][i], 1e-10 * (1 + peak(value))) << name;
}

TEST(LearningSteps, ModelsInServeModeStayAsTheyWere) {
  ModelSource source = source_of("gpt2");
  Builder b({.tokens = 8}, source.types, source.name);
  Value x = b.scalar(1);
  EXPECT_EQ(b.dropout(x, 0.5f), x);
  build_model(b, source.config);
  std::string text = print(b.take());
  EXPECT_NE(text.find("paged_attention("), std::string::npos);
  EXPECT_EQ(text.find(" = attention("), std::string::npos);
}

}  // namespace
}  // namespace motley
