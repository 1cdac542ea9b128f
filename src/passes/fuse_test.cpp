#include <gtest/gtest.h>

#include "ops/def.h"
#include "passes/pass.h"
#include "passes/test_target.h"

namespace motley {
namespace {

const TestTarget kAny({"*"});

constexpr const char* kMlp = R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : f32[16,8] "gate"
%2 = state : f32[16,8] "up"
%3 = matmul(%0, %1) transpose_w=true activation=f32 : f32[T<=4,16] "g"
%4 = act(%3) kind=silu : f32[T<=4,16] "a"
%5 = matmul(%0, %2) transpose_w=true activation=f32 : f32[T<=4,16] "u"
%6 = mul(%4, %5) : f32[T<=4,16] "m"
output %6 "y"
)";

TEST(Fuse, GateAndUpBecomeOneProduct) {
  EXPECT_EQ(after(fuse, kMlp, kAny), R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : f32[16,8] "gate"
%2 = state : f32[16,8] "up"
%3 = glu_matmul(%0, %1, %2) kind=silu activation=f32 : f32[T<=4,16] "m"
output %3 "y"
)");
}

TEST(Fuse, OnlyWhatTheDeviceHasAKernelFor) {
  EXPECT_EQ(after(fuse, kMlp, TestTarget({"matmul", "act", "mul"})), kMlp);
  std::string glu_only = after(fuse, kMlp, TestTarget({"matmul", "act", "mul", "glu"}));
  EXPECT_NE(glu_only.find(" = glu("), std::string::npos);
  EXPECT_EQ(glu_only.find("glu_matmul"), std::string::npos);
}

TEST(Fuse, NotWhenAProductHasAnotherReader) {
  std::string shared = std::string(kMlp) + "output %3 \"gate alone\"\n";
  EXPECT_EQ(after(fuse, shared, kAny).find("glu_matmul"), std::string::npos);
}

TEST(Fuse, ResidualAndNormShareOneStepAndTheSumStaysReadable) {
  EXPECT_EQ(after(fuse, R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = input : f32[T<=4,8] "y"
%2 = add(%0, %1) : f32[T<=4,8] "sum"
%3 = state : f32[8] "w"
%4 = rms_norm(%2, %3) eps=1e-05 offset=1 : f32[T<=4,8] "norm"
%5 = add(%2, %4) : f32[T<=4,8] "next"
output %5 "z"
)",
                  kAny),
            R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = input : f32[T<=4,8] "y"
%2 = state : f32[8] "w"
%3 = add_rms_norm(%0, %1, %2) eps=1e-05 offset=1 : f32[T<=4,8] ; f32[T<=4,8] "sum"
%4 = add(%3, %3.1) : f32[T<=4,8] "next"
output %4 "z"
)");
}

TEST(Fuse, ResidualAndLayerNormToo) {
  constexpr const char* kResidual = R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = input : f32[T<=4,8] "y"
%2 = state : f32[8] "w"
%3 = state : f32[8] "b"
%4 = add(%0, %1) : f32[T<=4,8] "sum"
%5 = layer_norm(%4, %2, %3) eps=1e-05 : f32[T<=4,8] "norm"
output %5 "z"
)";
  EXPECT_EQ(after(fuse, kResidual, kAny), R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = input : f32[T<=4,8] "y"
%2 = state : f32[8] "w"
%3 = state : f32[8] "b"
%4 = add_layer_norm(%0, %1, %2, %3) eps=1e-05 : f32[T<=4,8] ; f32[T<=4,8] "sum"
output %4.1 "z"
)");
  EXPECT_EQ(after(fuse, kResidual, kAny, {"fuse.add_norm"}), kResidual);
}

// A norm whose weight is formed after the sum cannot move there.
TEST(Fuse, NotANormThatWaitsForSomethingElse) {
  EXPECT_EQ(after(fuse, R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : f32[8] "w"
%2 = add(%0, %0) : f32[T<=4,8] "sum"
%3 = exp(%1) : f32[8] "late"
%4 = rms_norm(%2, %3) eps=1e-05 offset=0 : f32[T<=4,8] "norm"
output %4 "z"
)",
                  kAny)
                .find("add_rms_norm"),
            std::string::npos);
}

// A product x [4, 8] by [16, 8], with something after it that reads it once.
std::string product_then(const std::string& rest) {
  return R"(graph
%0 = input : f32[4,8] "x"
%1 = state : f32[16,8] "w"
%2 = state : f32[16] "b"
%3 = input : f32[4,16] "r"
%4 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,16] "p"
)" + rest;
}
std::string fused_product(const std::string& in, const std::string& fields, const std::string& name = "y") {
  return "fused_matmul(%0, %1" + in + ") transpose_w=true activation=f32 " + fields + " : f32[4,16] \"" + name + "\"";
}
double bytes_written(const Graph& graph) {
  double bytes = 0;
  for (const Node& n : graph.nodes) {
    Types in;
    for (Value v : n.in) in.push_back(graph.type(v));
    if (!n.in.empty()) bytes += cost_of({n.op, in, n.out, {}, 0}).bytes_written;
  }
  return bytes;
}

TEST(Fuse, WhatFollowsAProductIsOneStepWithIt) {
  struct Case {  // what nobody reads is gone, so a lone third input is %2
    const char *rest, *in, *fields;
    int fewer;  // results written
  };
  for (const Case& c : {
           Case{"%5 = add(%4, %2) : f32[4,16] \"y\"\noutput %5 \"y\"\n", ", %2",
                "scale=1 bias=true finish=none slope=false residual=false keep=false", 1},
           {"%5 = add(%3, %4) : f32[4,16] \"y\"\noutput %5 \"y\"\n", ", %2", "scale=1 bias=false finish=none slope=false residual=true keep=false",
            1},
           {"%5 = const shape=[1] values=[0.5] : f32[1] \"c\"\n%6 = mul(%4, %5) : f32[4,16] \"y\"\noutput %6 \"y\"\n", "",
            "scale=0.5 bias=false finish=none slope=false residual=false keep=false", 1},
           {"%5 = act(%4) kind=gelu : f32[4,16] \"y\"\noutput %5 \"y\"\n", "", "scale=1 bias=false finish=gelu slope=false residual=false keep=false",
            1},
           {"%5 = act_grad(%3, %4) kind=relu : f32[4,16] \"y\"\noutput %5 \"y\"\n", ", %2",
            "scale=1 bias=false finish=relu slope=true residual=false keep=false", 1},
           {"%5 = const shape=[1] values=[3] : f32[1] \"c\"\n%6 = mul(%5, %4) : f32[4,16] \"m\"\n%7 = add(%6, %2) : f32[4,16] \"s\"\n"
            "%8 = act(%7) kind=relu : f32[4,16] \"a\"\n%9 = add(%3, %8) : f32[4,16] \"y\"\noutput %9 \"y\"\n",
            ", %2, %3", "scale=3 bias=true finish=relu slope=false residual=true keep=false", 4},
       }) {
    const std::string before = product_then(c.rest), fused = after(fuse, before, kAny);
    EXPECT_NE(fused.find(fused_product(c.in, c.fields)), std::string::npos) << fused;
    EXPECT_EQ(fused.find(" = matmul("), std::string::npos) << fused;
    EXPECT_EQ(bytes_written(parse_graph(before)) - bytes_written(parse_graph(fused)), c.fewer * 4 * 4 * 16) << "4 M N bytes for each";
  }
}

// What learning keeps: the activation's argument is read by its gradient, so it is written, but not read again for the activation.
TEST(Fuse, AnArgumentThatIsReadAgainIsKept) {
  EXPECT_EQ(after(fuse,
                  product_then("%5 = add(%4, %2) : f32[4,16] \"u\"\n%6 = act(%5) kind=gelu : f32[4,16] \"y\"\n"
                               "%7 = act_grad(%5, %3) kind=gelu : f32[4,16] \"du\"\noutput %6 \"y\"\noutput %7 \"du\"\n"),
                  kAny),
            R"(graph
%0 = input : f32[4,8] "x"
%1 = state : f32[16,8] "w"
%2 = state : f32[16] "b"
%3 = input : f32[4,16] "r"
%4 = fused_matmul(%0, %1, %2) transpose_w=true activation=f32 scale=1 bias=true finish=gelu slope=false residual=false keep=true : f32[4,16] ; f32[4,16] "u"
%5 = act_grad(%4, %3) kind=gelu : f32[4,16] "du"
output %4.1 "y"
output %5 "du"
)");
}

TEST(Fuse, NotAProductThatSomebodyElseReads) {
  for (const char* rest : {"%5 = add(%4, %2) : f32[4,16] \"y\"\noutput %5 \"y\"\noutput %4 \"p\"\n",
                           "%5 = add(%4, %3) : f32[4,16] \"y\"\n%6 = neg(%4) : f32[4,16] \"n\"\noutput %5 \"y\"\noutput %6 \"n\"\n",
                           "%5 = act_grad(%3, %4) kind=relu : f32[4,16] \"y\"\noutput %5 \"y\"\noutput %4 \"p\"\n",
                           "%5 = act_grad(%4, %3) kind=relu : f32[4,16] \"y\"\noutput %5 \"y\"\n"})
    EXPECT_EQ(after(fuse, product_then(rest), kAny).find("fused_matmul"), std::string::npos) << rest;
}

TEST(Fuse, ASumIsFormedOnWhatItIsAddedTo) {
  constexpr const char* kSum = R"(graph
%0 = input : f32[4,3] "a"
%1 = input : f32[4,5] "b"
%2 = state : f32[3,5] "s"
%3 = outer_sum(%0, %1) : f32[3,5] "dw"
%4 = add(%2, %3) : f32[3,5] "sum"
output %4 "y"
)";
  EXPECT_EQ(after(fuse, kSum, kAny), R"(graph
%0 = input : f32[4,3] "a"
%1 = input : f32[4,5] "b"
%2 = state : f32[3,5] "s"
%3 = outer_sum(%0, %1, %2) : f32[3,5] "dw"
output %3 "y"
)");
  EXPECT_EQ(after(fuse, kSum, kAny, {"fuse.sum_add"}), kSum);
}

// What it would be added to comes later: a and b would have to wait for it.
TEST(Fuse, NotASumThatWouldHaveToWait) {
  constexpr const char* kLate = R"(graph
%0 = input : f32[4,3] "a"
%1 = input : f32[4,5] "b"
%2 = input : f32[3,5] "c"
%3 = outer_sum(%0, %1) : f32[3,5] "dw"
%4 = exp(%2) : f32[3,5] "late"
%5 = add(%4, %3) : f32[3,5] "sum"
output %5 "y"
)";
  EXPECT_EQ(after(fuse, kLate, kAny), kLate);
}

constexpr const char* kBias = R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : f32[16,8] "w"
%2 = state : f32[16] "b"
%3 = matmul(%0, %1) transpose_w=true activation=f32 : f32[T<=4,16] "p"
%4 = add(%3, %2) : f32[T<=4,16] "y"
output %4 "y"
)";

TEST(Fuse, BiasIsAddedByTheProduct) {
  EXPECT_EQ(after(fuse, kBias, kAny), R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : f32[16,8] "w"
%2 = state : f32[16] "b"
%3 = fused_matmul(%0, %1, %2) transpose_w=true activation=f32 scale=1 bias=true finish=none slope=false residual=false keep=false : f32[T<=4,16] "y"
output %3 "y"
)");
  EXPECT_EQ(after(fuse, kBias, kAny, {"fuse.matmul_add"}), kBias);
}

TEST(Fuse, NotABroadcastTheFusedOpDoesNotHave) {
  constexpr const char* kScalar = R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : f32[16,8] "w"
%2 = const shape=[1] values=[2] : f32[1] "c"
%3 = matmul(%0, %1) transpose_w=true activation=f32 : f32[T<=4,16] "p"
%4 = add(%3, %2) : f32[T<=4,16] "y"
output %4 "y"
)";
  EXPECT_EQ(after(fuse, kScalar, kAny).find("fused_matmul"), std::string::npos);
}

}  // namespace
}  // namespace motley
