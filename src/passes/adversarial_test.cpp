#include "passes/adversarial.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "motley/error.h"
#include "ops/def.h"
#include "ops/verify.h"
#include "passes/autodiff.h"
#include "passes/pass.h"
#include "passes/test_target.h"

namespace motley {
namespace {

// A table of words and what is told of each of them.
constexpr const char* kTagger = R"(graph
%0 = input : i32[4] "tokens"
%1 = input : i32[4] "targets"
%2 = state : f32[7,3] "table"
%3 = state : f32[5,3] "head"
%4 = gather(%2, %0) : f32[4,3] "embed"
%5 = matmul(%4, %3) transpose_w=true activation=f32 : f32[4,5] "logits"
%6 = cross_entropy(%5, %1) smoothing=0 : f32[1] ; f32[1] ; f32[4] "ce"
output %6 "loss"
output %6.1 "weight"
)";

TEST(Adversarial, Fgm) {
  Graph g = adversarial(parse_graph(kTagger), {.kind = Adversary::fgm, .epsilon = 0.5});
  verify(g);
  EXPECT_EQ(print(g), R"(graph
%0 = input : i32[4] "tokens"
%1 = input : i32[4] "targets"
%2 = state : f32[7,3] "table"
%3 = state : f32[5,3] "head"
%4 = gather(%2, %0) : f32[4,3] "embed"
%5 = matmul(%4, %3) transpose_w=true activation=f32 : f32[4,5] "logits"
%6 = cross_entropy(%5, %1) smoothing=0 : f32[1] ; f32[1] ; f32[4] "ce"
%7 = const shape=[1] values=[1] : f32[1] "adversarial.grad"
%8 = cross_entropy_grad(%5, %1, %6.2, %7) smoothing=0 : f32[4,5] "ce.grad"
%9 = matmul(%8, %3) transpose_w=false activation=f32 : f32[4,3] "logits.grad"
%10 = mul(%9, %9) : f32[4,3] "adversarial.grad"
%11 = sum(%10) axis=-1 : f32[4,1] "adversarial.grad"
%12 = const shape=[4,1,1] values=[0] : f32[4,1,1] "adversarial.grad"
%13 = reshape(%11) shape=[4,1,1] : f32[4,1,1] "adversarial.grad"
%14 = input : i32[4] "positions"
%15 = input : i32[4] "seq"
%16 = attention(%12, %12, %13, %14, %15) scale=1 softcap=0 window=0 causal=false bias=false memory=false : f32[4,1,1] ; f32[4,1] "adversarial.grad"
%17 = reshape(%16) shape=[4,1] : f32[4,1] "adversarial.grad"
%18 = exp(%16.1) : f32[4,1] "adversarial.grad"
%19 = mul(%17, %18) : f32[4,1] "adversarial.grad"
%20 = const shape=[1] values=[1e-30] : f32[1] "adversarial.grad"
%21 = add(%19, %20) : f32[4,1] "adversarial.grad"
%22 = rsqrt(%21) : f32[4,1] "adversarial.grad"
%23 = const shape=[1] values=[0.5] : f32[1] "adversarial.grad"
%24 = mul(%22, %23) : f32[4,1] "adversarial.grad"
%25 = mul(%9, %24) : f32[4,3] "adversarial.grad"
%26 = add(%4, %25) : f32[4,3] "adversarial"
%27 = matmul(%26, %3) transpose_w=true activation=f32 : f32[4,5] "logits.adversarial"
%28 = cross_entropy(%27, %1) smoothing=0 : f32[1] ; f32[1] ; f32[4] "ce.adversarial"
%29 = add(%6, %28) : f32[1] "loss"
output %6.1 "weight"
output %29 "loss"
)");
}

TEST(Adversarial, ThePerturbationIsAConstantToAutodiff) {
  Graph learning = autodiff(adversarial(parse_graph(kTagger), {.kind = Adversary::pgd, .steps = 3}), {});
  verify(learning);
  for (const Node& n : learning.nodes) EXPECT_EQ(n.name.find(".grad.grad"), std::string::npos) << n.name;
  std::string text = print(learning);
  EXPECT_NE(text.find("maximum("), std::string::npos) << "pgd keeps its steps within epsilon";
  EXPECT_NE(text.find("\"grad table\""), std::string::npos);
}

int products(const Graph& g) {
  int n = 0;
  for (const Node& node : g.nodes) n += is_product(node.op);
  return n;
}

TEST(Adversarial, WhatBothDifferentiationsFormIsFormedOnce) {
  TestTarget any({"*"});
  auto count = [&](const AdversarialOptions& options) {
    return products(simplify(autodiff(adversarial(parse_graph(kTagger), options), {}), {any.get(), {}}));
  };
  const int plain = count({});
  EXPECT_EQ(plain, 3);                                        // forward, to the embedding, to the head
  EXPECT_EQ(count({.kind = Adversary::fgm}), 2 * plain + 1);  // and the sum over samples, which is an attention
}

TEST(Adversarial, AFusedHeadFormsWhatItTakes) {
  Graph g = adversarial(parse_graph(R"(graph
%0 = input : i32[4] "tokens"
%1 = input : i32[4] "targets"
%2 = state : f32[7,3] "table"
%3 = gather(%2, %0) : f32[4,3] "embed"
%4 = head_loss(%3, %2, %1) smoothing=0 softcap=0 x_gradient=false w_gradient=false : f32[1] ; f32[1] "loss"
output %4 "loss"
output %4.1 "weight"
)"),
                        {.kind = Adversary::fgm});
  verify(g);
  Graph learning = autodiff(g, {});
  verify(learning);
  EXPECT_NE(print(learning).find("x_gradient=true w_gradient=true"), std::string::npos);
}

TEST(Adversarial, NoneIsNothing) { EXPECT_EQ(print(adversarial(parse_graph(kTagger), {})), kTagger); }

void expect_error(const char* text, const AdversarialOptions& options, std::string_view message) {
  try {
    adversarial(parse_graph(text), options);
    FAIL() << message;
  } catch (const Error& e) {
    EXPECT_EQ(std::string_view(e.what()), message);
  }
}

TEST(Adversarial, WhatCannotBeSaysSo) {
  expect_error(kTagger, {.kind = Adversary::fgm, .epsilon = 0}, "[adversarial] epsilon should be above 0, not 0");
  expect_error(kTagger, {.kind = Adversary::pgd, .steps = 0}, "[adversarial] steps should be 1 to 100, not 0");
  constexpr const char* kNoTokens = "graph\n%0 = state : f32[3] \"w\"\n%1 = square_sum(%0) : f32[1] \"s\"\noutput %1 \"loss\"\n";
  expect_error(kNoTokens, {.kind = Adversary::fgm}, "[adversarial] the loss depends on no embedding of tokens, so there is nothing to move");
  EXPECT_EQ(parse_adversary("pgd"), Adversary::pgd);
  EXPECT_EQ(parse_adversary("none"), Adversary::none);
  EXPECT_FALSE(parse_adversary("fgsm"));
}

}  // namespace
}  // namespace motley
