#include "passes/recompute.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/verify.h"
#include "passes/autodiff.h"
#include "passes/pass.h"
#include "passes/test_target.h"

namespace motley {
namespace {

// Two blocks of a product of 64 inputs and an activation.
constexpr const char* kBlocks = R"(graph
%0 = input : f32[4,64] "x"
%1 = state : f32[64,64] "w0" block=0
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,64] "p0" block=0
%3 = act(%2) kind=silu : f32[4,64] "a0" block=0
%4 = exp(%3) : f32[4,64] "e0" block=0
%5 = state : f32[64,64] "w1" block=1
%6 = matmul(%4, %5) transpose_w=true activation=f32 : f32[4,64] "p1" block=1
%7 = act(%6) kind=silu : f32[4,64] "a1" block=1
%8 = square_sum(%7) : f32[1] "loss"
output %8 "loss"
)";

std::string learning(Recompute mode) {
  Graph g = recompute(autodiff(parse_graph(kBlocks), {}), mode);
  verify(g);
  return print(g);
}

TEST(Recompute, NoneIsTheGraphItself) { EXPECT_EQ(learning(Recompute::none), print(autodiff(parse_graph(kBlocks), {}))); }

// e0 goes from block to block and a1 out of the blocks: they are kept. So is what their readers need of the products.
TEST(Recompute, SelectiveRepeatsWhatIsCheap) {
  std::string text = learning(Recompute::selective);
  EXPECT_EQ(text.find(".again"), std::string::npos) << "neither act nor exp is needed but where blocks meet:\n" << text;
  std::string inner = kBlocks;  // with the exponential inside its block
  inner.replace(inner.find("%4 = exp(%3) : f32[4,64] \"e0\" block=0"), 37, "%4 = exp(%3) : f32[4,64] \"e0\" block=1");
  Graph g = recompute(autodiff(parse_graph(inner), {}), Recompute::selective);
  verify(g);
  text = print(g);
  EXPECT_NE(text.find("exp(%3) : f32[4,64] \"e0.again\" block=1"), std::string::npos) << text;
  EXPECT_EQ(text.find("p0.again"), std::string::npos) << text;
}

TEST(Recompute, FullRepeatsABlockFromItsInput) {
  EXPECT_EQ(learning(Recompute::full), R"(graph
%0 = input : f32[4,64] "x"
%1 = state : f32[64,64] "w0" block=0
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,64] "p0" block=0
%3 = act(%2) kind=silu : f32[4,64] "a0" block=0
%4 = exp(%3) : f32[4,64] "e0" block=0
%5 = state : f32[64,64] "w1" block=1
%6 = matmul(%4, %5) transpose_w=true activation=f32 : f32[4,64] "p1" block=1
%7 = act(%6) kind=silu : f32[4,64] "a1" block=1
%8 = square_sum(%7) : f32[1] "loss"
%9 = const shape=[1] values=[1] : f32[1] "loss.grad"
%10 = const shape=[1] values=[2] : f32[1] "loss.grad"
%11 = mul(%9, %10) : f32[1] "loss.grad"
%12 = mul(%7, %11) : f32[4,64] "loss.grad"
%13 = matmul(%4, %5) transpose_w=true activation=f32 : f32[4,64] "p1.again" block=1
%14 = act_grad(%13, %12) kind=silu : f32[4,64] "a1.grad" block=1
%15 = matmul(%14, %5) transpose_w=false activation=f32 : f32[4,64] "p1.grad" block=1
%16 = outer_sum(%14, %4) : f32[64,64] "p1.grad" block=1
%17 = mul(%15, %4) : f32[4,64] "e0.grad" block=0
%18 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,64] "p0.again" block=0
%19 = act_grad(%18, %17) kind=silu : f32[4,64] "a0.grad" block=0
%20 = outer_sum(%19, %0) : f32[64,64] "p0.grad" block=0
output %8 "loss"
output %20 "grad w0"
output %16 "grad w1"
)");
}

TEST(Recompute, SimplifyDoesNotUndoIt) {
  TestTarget any({"*"});
  Graph g = recompute(autodiff(parse_graph(kBlocks), {}), Recompute::full);
  std::string text = print(simplify(g, {any.get(), {}}));
  EXPECT_NE(text.find("p1.again"), std::string::npos) << text;
  EXPECT_NE(text.find("p0.again"), std::string::npos) << text;
}

TEST(Recompute, ModesHaveNames) {
  for (Recompute mode : {Recompute::none, Recompute::selective, Recompute::full}) EXPECT_EQ(parse_recompute(to_string(mode)), mode);
  EXPECT_FALSE(parse_recompute("some"));
}

}  // namespace
}  // namespace motley
