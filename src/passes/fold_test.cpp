#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bits.h"
#include "ops/interpreter.h"
#include "passes/pass.h"
#include "passes/test_target.h"

namespace motley {
namespace {

using testing::HasSubstr;
using testing::Not;

const TestTarget kAny({"*"});

constexpr const char* kConvolution = R"(graph
%0 = input : f32[1,4,2] "x"
%1 = state : f32[3,2,2] "w"
%2 = state : f32[3] "c"
%3 = state : f32[3] "gain"
%4 = state : f32[3] "shift"
%5 = state : f32[3] "mean"
%6 = state : f32[3] "variance"
%7 = conv1d(%0, %1) stride=1 padding=1 dilation=1 : f32[1,5,3] "conv"
%8 = slice(%7) axis=1 begin=0 size=4 : f32[1,4,3] "cut"
%9 = add(%8, %2) : f32[1,4,3] "biased"
%10 = batch_norm_fixed(%9, %3, %4, %5, %6) eps=1e-05 : f32[1,4,3] "norm"
output %10 "y"
)";

TEST(Fold, BatchNormGoesIntoTheConvolutionsWeights) {
  EXPECT_EQ(after(fold, kConvolution, kAny), R"(graph
%0 = input : f32[1,4,2] "x"
%1 = state : f32[3,2,2] "w"
%2 = state : f32[3] "c"
%3 = state : f32[3] "gain"
%4 = state : f32[3] "shift"
%5 = state : f32[3] "mean"
%6 = state : f32[3] "variance"
%7 = const shape=[1] values=[1e-05] : f32[1] "conv"
%8 = add(%6, %7) : f32[3] "conv"
%9 = rsqrt(%8) : f32[3] "conv"
%10 = mul(%3, %9) : f32[3] "conv"
%11 = reshape(%10) shape=[3,1,1] : f32[3,1,1] "conv"
%12 = mul(%1, %11) : f32[3,2,2] "conv"
%13 = sub(%2, %5) : f32[3] "conv"
%14 = conv1d(%0, %12) stride=1 padding=1 dilation=1 : f32[1,5,3] "conv"
%15 = mul(%13, %10) : f32[3] "norm"
%16 = add(%15, %4) : f32[3] "norm"
%17 = add(%14, %16) : f32[1,5,3] "norm"
%18 = slice(%17) axis=1 begin=0 size=4 : f32[1,4,3] "cut"
output %18 "y"
)");
  EXPECT_EQ(after(fold, kConvolution, kAny, {"fold.batch_norm"}), kConvolution);
}

TEST(Fold, NotABatchNormThatLearnsItsStatistics) {
  constexpr const char* kLearning = R"(graph
%0 = input : f32[1,4,2] "x"
%1 = state : f32[3,2,1] "w"
%2 = state : f32[3] "gain"
%3 = state : f32[3] "shift"
%4 = conv1d(%0, %1) stride=1 padding=0 dilation=1 : f32[1,4,3] "conv"
%5 = batch_norm(%4, %2, %3) eps=1e-05 : f32[1,4,3] ; f32[3] ; f32[3] "norm"
output %5 "y"
)";
  EXPECT_EQ(after(fold, kLearning, kAny), kLearning);
}

TEST(Fold, NotWhereSomebodyElseReadsTheConvolution) {
  const std::string shared = std::string(kConvolution) + "output %7 \"also\"\n";
  EXPECT_THAT(after(fold, shared, kAny), HasSubstr("batch_norm_fixed("));
}

// w 2, c 0.1, gain 1.5, shift -0.2, mean 0.3, variance 0.49: w' = 4.285671, b' = -0.628567, y(0.7) = 2.371402.
TEST(Fold, HasTheNumbersOfASmallCaseByHand) {
  constexpr const char* kOne = R"(graph
%0 = input : f32[1,1,1] "x"
%1 = state : f32[1,1,1] "w"
%2 = state : f32[1] "c"
%3 = state : f32[1] "gain"
%4 = state : f32[1] "shift"
%5 = state : f32[1] "mean"
%6 = state : f32[1] "variance"
%7 = conv1d(%0, %1) stride=1 padding=0 dilation=1 : f32[1,1,1] "conv"
%8 = add(%7, %2) : f32[1,1,1] "biased"
%9 = batch_norm_fixed(%8, %3, %4, %5, %6) eps=1e-05 : f32[1,1,1] "norm"
output %9 "y"
)";
  const std::map<std::string, float> values = {{"w", 2}, {"c", 0.1f}, {"gain", 1.5f}, {"shift", -0.2f}, {"mean", 0.3f}, {"variance", 0.49f}};
  const Graph before = parse_graph(kOne), folded = fold(before, {kAny.get(), {}});
  EXPECT_THAT(print(folded), Not(HasSubstr("batch_norm")));
  for (const Graph& graph : {before, folded}) {
    auto at = [&](float x) {
      Interpreter run(graph, [&](const std::string& name) { return Tensor::of(name == "w" ? Shape{1, 1, 1} : Shape{1}, {values.at(name)}); });
      return run.run({}, {{"x", bits_of(x)}}).at("y").data[0];
    };
    EXPECT_NEAR(at(0.7f), 2.371402, 1e-6);
    EXPECT_NEAR(at(0), -0.628567, 1e-6);
    EXPECT_NEAR(at(1) - at(0), 4.285671, 1e-6);
  }
}

std::string pooled(const std::string& act, const std::string& kind) {
  return "graph\n%0 = input : f32[2,6,3] \"x\"\n%1 = " + act + " : f32[2,6,3] \"a\"\n%2 = pool(%1) kind=" + kind +
         " kernel=2 stride=2 padding=0 finish=none : f32[2,3,3] \"p\"\noutput %2 \"y\"\n";
}

TEST(Fold, ReluIsTakenOfTheLargestAlone) {
  EXPECT_EQ(after(fold, pooled("act(%0) kind=relu", "max"), kAny), R"(graph
%0 = input : f32[2,6,3] "x"
%1 = pool(%0) kind=max kernel=2 stride=2 padding=0 finish=relu : f32[2,3,3] "p"
output %1 "y"
)");
}

TEST(Fold, NotActivationsThatFallNorAverages) {
  for (const auto& [act, kind] : {std::pair{"act(%0) kind=gelu", "max"},
                                  {"act(%0) kind=silu", "max"},
                                  {"act(%0) kind=gelu_tanh", "max"},
                                  {"act(%0) kind=relu", "average"},
                                  {"neg(%0)", "max"}})
    EXPECT_EQ(after(fold, pooled(act, kind), kAny), pooled(act, kind));
  const std::string shared = pooled("act(%0) kind=relu", "max") + "output %1 \"all\"\n";
  EXPECT_EQ(after(fold, shared, kAny), shared);
}

TEST(Fold, NotWhereTheDeviceHasNoSuchPool) {
  EXPECT_EQ(after(fold, pooled("act(%0) kind=relu", "max"), TestTarget({"act", "unfold"})), pooled("act(%0) kind=relu", "max"));
}

}  // namespace
}  // namespace motley
