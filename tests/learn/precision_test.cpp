// Mixed precision in the reference and on the CPU: casts round, losses stay near those of f32, overflow is seen where it happens and survived.
#include "passes/precision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/bits.h"
#include "passes/autodiff.h"
#include "passes/update.h"
#include "tiny_model.h"

namespace motley {
namespace {

StateLoader loader(const ModelSource& source) {
  return [&source](const std::string& state) { return source.types(state) ? read_state(source, state) : Tensor(); };
}

TEST(MixedPrecisionOnTheCpu, RoundsAsTheReferenceDoes) {
  for (auto [format, step] : {std::pair{Dtype::bf16, 0x1p-8}, std::pair{Dtype::f16, 0x1p-11}}) {
    ModelSource source = source_of("llama3");
    Graph learning = autodiff(objective(source, kTokens), {}), graph = mixed_precision(learning, {.usual = format});
    auto exact = learn_by_reference(learning, loader(source))->step(batch(source));
    auto expected = learn_by_reference(graph, loader(source))->step(batch(source)), got = learn_on_cpu(graph, loader(source), 2)->step(batch(source));
    EXPECT_NE(exact["loss"], expected["loss"]) << "nothing was rounded";
    for (const auto& [name, value] : expected) {
      // A value between two steps may round the other way: some of them, each off by one step.
      if (name.starts_with("lost") || name.starts_with("noise")) continue;
      EXPECT_LE(distance(value, got[name]), 4 * step * peak(value) + 1e-9) << motley::name(format) << " " << name;
      if (exact.contains(name)) {
        EXPECT_LE(distance(value, exact[name]), 16 * step * peak(exact[name]) + 1e-9) << motley::name(format) << " " << name;
      }
    }
  }
}

struct Curve {
  double last = 0, peak = 0;
  int skipped = 0;
};

// Steps of AdamW as a trainer takes them: a step that overflowed is skipped by its scale.
Curve learn(const ModelSource& source, const PrecisionPlan& plan, float loss_scale, int steps) {
  Graph graph = add_updates(mixed_precision(autodiff(objective(source, kTokens), {.scaled = true}), plan), {.op = Adamw{}});
  auto learner = learn_on_cpu(graph, loader(source), 2);
  Curve c;
  for (int step = 1; step <= steps; ++step) {
    auto in = batch(source);
    in["lr"] = bits_of(0.001f), in["step"] = {step}, in["loss_scale"] = bits_of(loss_scale), in["scale"] = bits_of(1 / (16 * loss_scale));
    auto out = learner->step(in);
    c.last = out["loss"][0];
    for (const auto& [name, value] : out)
      if (name.starts_with("peak ")) c.peak = std::isnan(value[0]) ? value[0] : std::max(c.peak, value[0]);
    c.skipped += !std::isfinite(out["grad_norm"][0]);
  }
  return c;
}

TEST(MixedPrecisionOnTheCpu, TwoHundredStepsStayWithinAPercentOfF32) {
  ModelSource source = source_of("gpt2");
  Curve exact = learn(source, {.usual = Dtype::f32}, 1, 200);
  Curve bf16 = learn(source, {.usual = Dtype::bf16}, 1, 200), f16 = learn(source, {.usual = Dtype::f16}, 256, 200);
  EXPECT_NEAR(bf16.last, exact.last, 0.01 * exact.last);
  EXPECT_NEAR(f16.last, exact.last, 0.01 * exact.last);
  EXPECT_EQ(f16.skipped, 0);
  EXPECT_GT(f16.peak, 0);
  EXPECT_EQ(exact.peak, 0) << "blocks in f32 are not watched";
}

TEST(MixedPrecisionOnTheCpu, AnOverflowIsSeenInItsBlockAndSkipped) {
  ModelSource source = source_of("gpt2");
  Graph learning = autodiff(objective(source, kTokens), {.scaled = true});
  auto outputs = [&](const PrecisionPlan& plan, float loss_scale) {
    auto in = batch(source);
    in["lr"] = bits_of(1.0f), in["step"] = {1}, in["loss_scale"] = bits_of(loss_scale), in["scale"] = bits_of(1 / loss_scale);
    auto learner = learn_on_cpu(add_updates(mixed_precision(learning, plan), {.op = Sgd{}, .clip = 1}), loader(source), 2);
    auto out = learner->step(in);
    out["weight after"] = learner->state("transformer.h.0.attn.c_attn.weight");
    return out;
  };
  const Tensor before = read_state(source, "transformer.h.0.attn.c_attn.weight");
  const auto overflows = [](double peak) { return !(peak <= 65504); };  // behind an infinity there may be none but NaN
  auto fine = outputs({.usual = Dtype::f16}, 64);
  EXPECT_FALSE(overflows(fine["peak 1"][0]));
  EXPECT_TRUE(std::isfinite(fine["grad_norm"][0]));
  auto much = outputs({.usual = Dtype::f16}, 0x1p40f);
  EXPECT_TRUE(overflows(much["peak 1"][0]));
  EXPECT_FALSE(std::isfinite(much["grad_norm"][0]));
  for (size_t i = 0; i < much["weight after"].size(); ++i) ASSERT_EQ(much["weight after"][i], static_cast<double>(before.data<float>()[i]));
  // The cause moved up to f32, the rest of the model overflows no less.
  auto moved = outputs({.usual = Dtype::f16, .blocks = {{1, Dtype::f32}}}, 0x1p40f);
  EXPECT_FALSE(moved.contains("peak 1"));
  EXPECT_TRUE(overflows(moved["peak 0"][0]));
  // bf16 has the range of f32; f16 without a scale loses small gradients.
  EXPECT_TRUE(std::isfinite(outputs({.usual = Dtype::bf16}, 0x1p40f)["grad_norm"][0]));
  auto little = outputs({.usual = Dtype::f16}, 0x1p-24f);
  EXPECT_GT(little["lost 0"][0], 0.1);
  EXPECT_GT(little["noise 0"][0], 0.1);
  EXPECT_LT(fine["lost 0"][0], 0.01);
  EXPECT_LT(fine["noise 0"][0], 0x1p-11);
  EXPECT_GT(fine["noise 0"][0], 0x1p-14);
}

}  // namespace
}  // namespace motley
