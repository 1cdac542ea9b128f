#include "passes/precision.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "motley/error.h"
#include "ops/verify.h"
#include "passes/autodiff.h"
#include "passes/pass.h"
#include "passes/recompute.h"
#include "passes/test_target.h"

namespace motley {
namespace {

constexpr const char* kBlock = R"(graph
%0 = input : f32[4,8] "x"
%1 = state : f32[8,8] "w" block=0
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,8] "p" block=0
%3 = act(%2) kind=silu : f32[4,8] "a" block=0
%4 = exp(%3) : f32[4,8] "e" block=0
%5 = square_sum(%4) : f32[1] "sum"
output %5 "loss"
)";

std::string mixed(const Graph& graph, const PrecisionPlan& plan) {
  Graph g = mixed_precision(graph, plan);
  verify(g);
  return print(g);
}

// The product takes its weight in 16 bits and its activations rounded; the activation follows; the exponential is wide.
TEST(MixedPrecision, RoundsBetweenTheOpsThatBearIt) {
  EXPECT_EQ(mixed(parse_graph(kBlock), {.usual = Dtype::bf16}), R"(graph
%0 = input : f32[4,8] "x"
%1 = state : f32[8,8] "w" block=0
%2 = cast(%0) dtype=bf16 : bf16[4,8] "x"
%3 = cast(%2) dtype=f32 : f32[4,8] "x"
%4 = cast(%1) dtype=bf16 : bf16[8,8] "w" block=0
%5 = matmul(%3, %4) transpose_w=true activation=f32 : f32[4,8] "p" block=0
%6 = cast(%5) dtype=bf16 : bf16[4,8] "p" block=0
%7 = cast(%6) dtype=f32 : f32[4,8] "p" block=0
%8 = act(%7) kind=silu : f32[4,8] "a" block=0
%9 = cast(%8) dtype=bf16 : bf16[4,8] "a" block=0
%10 = cast(%9) dtype=f32 : f32[4,8] "a" block=0
%11 = exp(%10) : f32[4,8] "e" block=0
%12 = square_sum(%11) : f32[1] "sum"
output %12 "loss"
)");
}

TEST(MixedPrecision, ABlockInF32StaysAsItIs) {
  EXPECT_EQ(mixed(parse_graph(kBlock), {.usual = Dtype::f16, .blocks = {{0, Dtype::f32}}}), kBlock);
  EXPECT_EQ(mixed(parse_graph(kBlock), {.usual = Dtype::f32}), kBlock);
}

TEST(MixedPrecision, TheBackwardPartWidensForItselfAndSaysHowLargeItsGradientsAre) {
  Graph learning = autodiff(parse_graph(kBlock), {.scaled = true});
  std::string text = mixed(learning, {.usual = Dtype::f16});
  EXPECT_NE(text.find("f32[4,8] \"p.again\" block=0"), std::string::npos) << text;
  for (const char* output : {"\"peak 0\"", "\"lost 0\"", "\"noise 0\"", "\"grad w\""}) EXPECT_NE(text.find(output), std::string::npos) << output;
  // The gradient to the weight is a master's: it is not rounded.
  EXPECT_EQ(text.find("f16[8,8] \"p.grad\""), std::string::npos) << text;
  EXPECT_EQ(mixed(learning, {.usual = Dtype::f16, .watch = false}).find("\"peak 0\""), std::string::npos);
  TestTarget any({"*"});
  EXPECT_NE(print(simplify(parse_graph(text), {any.get(), {}})).find("\"p.again\""), std::string::npos) << "simplify joins the two parts' copies";
}

TEST(MixedPrecision, GoesTogetherWithRecompute) {
  Graph learning = recompute(autodiff(parse_graph(kBlock), {}), Recompute::full);
  std::string text = mixed(learning, {.usual = Dtype::bf16});
  EXPECT_NE(text.find("matmul("), std::string::npos);
  EXPECT_NE(text.find("\"p.again\""), std::string::npos) << text;
}

TEST(MixedPrecision, OnlyFloatFormats) {
  EXPECT_THROW(mixed_precision(parse_graph(kBlock), {.usual = Dtype::i8}), Error);
  EXPECT_THROW(mixed_precision(parse_graph(kBlock), {.blocks = {{0, Dtype::q8_0}}}), Error);
}

TEST(MixedPrecision, AdviceFollowsTheDevice) {
  Target t;
  t.name = "cpu:0";
  t.isa = "avx2";
  PrecisionAdvice advice = advise_precision(t);
  EXPECT_EQ(advice.dtype, Dtype::f32);
  EXPECT_EQ(advice.why, "cpu:0 (avx2) has no products of 16-bit floats: each value would be rounded and widened again, which only takes time");
  t.native_floats.push_back(Dtype::f16);
  EXPECT_EQ(advise_precision(t).dtype, Dtype::f16);
  t.native_floats.push_back(Dtype::bf16);
  EXPECT_EQ(advise_precision(t).dtype, Dtype::bf16);
}

}  // namespace
}  // namespace motley
