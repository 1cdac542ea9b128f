#include "passes/head_loss.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/verify.h"
#include "passes/autodiff.h"
#include "passes/pass.h"
#include "passes/test_target.h"

namespace motley {
namespace {

constexpr const char* kHead = R"(graph
%0 = input : f32[4,3] "x"
%1 = state : f32[7,3] "lm_head.weight"
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,7] "head"
%3 = softcap(%2) cap=30 : f32[4,7] "head"
%4 = input : i32[4] "targets"
%5 = cross_entropy(%3, %4) smoothing=0.1 : f32[1] ; f32[1] ; f32[4] "loss"
output %5 "loss"
output %5.1 "weight"
)";

std::string fused(std::string text) {
  Graph g = fuse_head_loss(parse_graph(text));
  verify(g);
  return print(g);
}

TEST(HeadLoss, TakesTheProductAndTheCapIn) {
  EXPECT_EQ(fused(kHead), R"(graph
%0 = input : f32[4,3] "x"
%1 = state : f32[7,3] "lm_head.weight"
%2 = input : i32[4] "targets"
%3 = head_loss(%0, %1, %2) smoothing=0.1 softcap=30 x_gradient=false w_gradient=false : f32[1] ; f32[1] "loss"
output %3 "loss"
output %3.1 "weight"
)");
}

TEST(HeadLoss, NotWhereSomebodyElseReadsTheLogits) {
  for (const char* reader : {"output %2 \"logits\"\n", "output %3 \"capped\"\n", "output %5.2 \"lse\"\n"}) {
    std::string text = std::string(kHead) + reader;
    EXPECT_EQ(fused(text), text);
  }
}

TEST(HeadLoss, NotWithABias) {
  constexpr const char* kBias = R"(graph
%0 = input : f32[4,3] "x"
%1 = state : f32[7,3] "w"
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,7] "head"
%3 = state : f32[7] "b"
%4 = add(%2, %3) : f32[4,7] "head"
%5 = input : i32[4] "targets"
%6 = cross_entropy(%4, %5) smoothing=0 : f32[1] ; f32[1] ; f32[4] "loss"
output %6 "loss"
)";
  EXPECT_EQ(fused(kBias), kBias);
}

TEST(HeadLoss, FormsTheGradientsThatAreWanted) {
  Graph both = autodiff(parse_graph(fused(R"(graph
%0 = state : f32[4,3] "x"
%1 = state : f32[7,3] "w"
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,7] "head"
%3 = input : i32[4] "targets"
%4 = cross_entropy(%2, %3) smoothing=0 : f32[1] ; f32[1] ; f32[4] "loss"
output %4 "loss"
)")),
                        {});
  verify(both);
  EXPECT_EQ(print(both), R"(graph
%0 = state : f32[4,3] "x"
%1 = state : f32[7,3] "w"
%2 = input : i32[4] "targets"
%3 = head_loss(%0, %1, %2) smoothing=0 softcap=0 x_gradient=true w_gradient=true : f32[1] ; f32[1] ; f32[4,3] ; f32[7,3] "loss"
%4 = const shape=[1] values=[1] : f32[1] "loss.grad"
%5 = mul(%3.2, %4) : f32[4,3] "loss.grad"
%6 = mul(%3.3, %4) : f32[7,3] "loss.grad"
output %3 "loss"
output %5 "grad x"
output %6 "grad w"
)");
  // A frozen head has no gradient, and a scale of one is no multiplication.
  Graph frozen = autodiff(parse_graph(fused(kHead)), {.learns = [](std::string_view name) { return name == "lm_head.weight"; }});
  TestTarget any({"*"});
  std::string text = print(simplify(frozen, {any.get(), {}}));
  EXPECT_NE(text.find("x_gradient=false w_gradient=true : f32[1] ; f32[1] ; f32[7,3]"), std::string::npos) << text;
  EXPECT_EQ(text.find("mul("), std::string::npos) << text;
}

TEST(HeadLoss, EvaluationFusesItWhereTheDeviceHasAKernel) {
  EXPECT_NE(after(fuse, kHead, TestTarget({"*"})).find("head_loss("), std::string::npos);
  EXPECT_EQ(after(fuse, kHead, TestTarget({"matmul", "softcap", "cross_entropy"})).find("head_loss("), std::string::npos);
  EXPECT_EQ(after(fuse, kHead, TestTarget({"*"}), {"fuse.head_loss"}).find("head_loss("), std::string::npos);
}

}  // namespace
}  // namespace motley
