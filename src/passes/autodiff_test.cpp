#include "passes/autodiff.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "motley/error.h"
#include "ops/verify.h"
#include "passes/update.h"

namespace motley {
namespace {

// A linear layer and its mean squared error.
constexpr const char* kLinear = R"(graph
%0 = input : f32[4,3] "x"
%1 = input : f32[4,2] "y"
%2 = input : f32[4,1] "w"
%3 = state : f32[2,3] "weight"
%4 = state : f32[2] "bias"
%5 = matmul(%0, %3) transpose_w=true activation=f32 : f32[4,2] "h"
%6 = add(%5, %4) : f32[4,2] "z"
%7 = binary_cross_entropy(%6, %1, %2) : f32[1] ; f32[1] "bce"
output %7 "loss"
output %7.1 "weight"
)";

TEST(Autodiff, ALinearLayer) {
  Graph g = autodiff(parse_graph(kLinear), {});
  verify(g);
  EXPECT_EQ(print(g), R"(graph
%0 = input : f32[4,3] "x"
%1 = input : f32[4,2] "y"
%2 = input : f32[4,1] "w"
%3 = state : f32[2,3] "weight"
%4 = state : f32[2] "bias"
%5 = matmul(%0, %3) transpose_w=true activation=f32 : f32[4,2] "h"
%6 = add(%5, %4) : f32[4,2] "z"
%7 = binary_cross_entropy(%6, %1, %2) : f32[1] ; f32[1] "bce"
%8 = const shape=[1] values=[1] : f32[1] "loss.grad"
%9 = sigmoid(%6) : f32[4,2] "bce.grad"
%10 = sub(%9, %1) : f32[4,2] "bce.grad"
%11 = mul(%10, %2) : f32[4,2] "bce.grad"
%12 = mul(%11, %8) : f32[4,2] "bce.grad"
%13 = sum(%12) axis=0 : f32[1,2] "z.grad"
%14 = reshape(%13) shape=[2] : f32[2] "z.grad"
%15 = outer_sum(%12, %0) : f32[2,3] "h.grad"
output %7 "loss"
output %7.1 "weight"
output %15 "grad weight"
output %14 "grad bias"
)");
}

TEST(Autodiff, OnlyTheStatesChosen) {
  Graph g = autodiff(parse_graph(kLinear), {.learns = [](std::string_view name) { return name == "bias"; }});
  std::string text = print(g);
  EXPECT_NE(text.find("\"grad bias\""), std::string::npos);
  EXPECT_EQ(text.find("\"grad weight\""), std::string::npos);
  EXPECT_EQ(text.find("outer_sum"), std::string::npos);
}

TEST(Autodiff, AValueUsedTwiceSumsItsGradients) {
  // A tied embedding: read by row and multiplied with.
  Graph g = autodiff(parse_graph(R"(graph
%0 = input : i32[4] "tokens"
%1 = input : i32[4] "targets"
%2 = state : f32[7,3] "table"
%3 = gather(%2, %0) : f32[4,3] "embed"
%4 = matmul(%3, %2) transpose_w=true activation=f32 : f32[4,7] "logits"
%5 = cross_entropy(%4, %1) smoothing=0 : f32[1] ; f32[1] ; f32[4] "ce"
output %5 "loss"
)"),
                     {.scaled = true});
  verify(g);
  EXPECT_EQ(print(g), R"(graph
%0 = input : i32[4] "tokens"
%1 = input : i32[4] "targets"
%2 = state : f32[7,3] "table"
%3 = gather(%2, %0) : f32[4,3] "embed"
%4 = matmul(%3, %2) transpose_w=true activation=f32 : f32[4,7] "logits"
%5 = cross_entropy(%4, %1) smoothing=0 : f32[1] ; f32[1] ; f32[4] "ce"
%6 = input : f32[1] "loss_scale"
%7 = cross_entropy_grad(%4, %1, %5.2, %6) smoothing=0 : f32[4,7] "ce.grad"
%8 = matmul(%7, %2) transpose_w=false activation=f32 : f32[4,3] "logits.grad"
%9 = outer_sum(%7, %3) : f32[7,3] "logits.grad"
%10 = scatter_add(%8, %0) rows=7 : f32[7,3] "embed.grad"
%11 = add(%9, %10) : f32[7,3] "table.grad"
output %5 "loss"
output %11 "grad table"
)");
}

TEST(Autodiff, SlicesOfOneValueGoBackAsOneConcat) {
  Graph g = autodiff(parse_graph(R"(graph
%0 = state : f32[2,6] "qkv"
%1 = slice(%0) axis=-1 begin=0 size=2 : f32[2,2] "q"
%2 = slice(%0) axis=-1 begin=2 size=4 : f32[2,4] "k"
%3 = square_sum(%1) : f32[1] "a"
%4 = square_sum(%2) : f32[1] "b"
%5 = add(%3, %4) : f32[1] "sum"
output %5 "loss"
)"),
                     {});
  std::string text = print(g);
  EXPECT_NE(text.find("concat("), std::string::npos) << text;
  EXPECT_EQ(text.find("pad("), std::string::npos) << text;
}

void expect_error(const char* text, const AutodiffOptions& options, std::string_view message) {
  try {
    autodiff(parse_graph(text), options);
    FAIL() << message;
  } catch (const Error& e) {
    EXPECT_EQ(std::string_view(e.what()), message);
  }
}

TEST(Autodiff, WhatHasNoGradientSaysSo) {
  constexpr const char* kPositions = R"(graph
%0 = state : f32[1,6] "x"
%1 = top_k(%0) k=1 : f32[1,1] ; i32[1,1] "best"
%2 = cast(%1.1) dtype=f32 : f32[1,1] "where"
%3 = reshape(%2) shape=[1] : f32[1] "flat"
output %3 "loss"
)";
  expect_error(kPositions, {}, "[top_k] which elements are the largest has no gradient, and the loss depends on it");
  constexpr const char* kCache = R"(graph
%0 = input : i32[4] "slots"
%1 = state : f32[2,1,4,8] "pages"
%2 = state : f32[4,1,8] "rows"
%3 = cache_append(%1, %2, %0) : f32[2,1,4,8] "append"
%4 = square_sum(%3) : f32[1] "sum"
output %4 "loss"
update %3 "pages"
)";
  expect_error(kCache, {.learns = [](std::string_view n) { return n == "rows"; }},
               "[autodiff] cache_append \"append\" has no gradient: a cache is for generating; learn with attention over the batch");
  expect_error(kLinear, {.loss = "lost"}, "[autodiff] the graph has no output 'lost' to differentiate");
  constexpr const char* kApart = "graph\n%0 = state : f32[1] \"a\"\n%1 = state : f32[1] \"b\"\n%2 = exp(%0) : f32[1] \"e\"\noutput %2 \"loss\"\n";
  expect_error(kApart, {.learns = [](std::string_view) { return true; }}, "[autodiff] the loss does not depend on state 'b', which was to learn");
}

TEST(Update, GradientsBecomeSteps) {
  Graph g = add_updates(autodiff(parse_graph(kLinear), {}), {.op = Adamw{.decay = 0.1}, .clip = 1});
  verify(g);
  std::string text = print(g);
  for (const char* part : {"adamw(%3, ", "decay=0.1", "decay=0 ", "update %", "\"optimizer.m.weight\"", "\"optimizer.v.bias\"", "\"grad_norm\""})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find("output %15 \"grad"), std::string::npos);
  EXPECT_EQ(g.updates.size(), 6u);
  EXPECT_EQ(print(parse_graph(text)), text);
}

TEST(Update, AStateIsNotReadAfterItChanged) {
  constexpr const char* kLate = R"(graph
%0 = input : f32[1] "lr"
%1 = input : f32[1] "scale"
%2 = state : f32[3] "w"
%3 = sgd(%2, %2, %0, %1) decay=0 : f32[3] "step"
%4 = exp(%2) : f32[3] "late"
output %4 "y"
update %3 "w"
)";
  EXPECT_THROW(verify(parse_graph(kLate)), Error);
}

}  // namespace
}  // namespace motley
