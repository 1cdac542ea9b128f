#include <gtest/gtest.h>

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
%3 = matmul_add(%0, %1, %2) transpose_w=true activation=f32 : f32[T<=4,16] "y"
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
  EXPECT_EQ(after(fuse, kScalar, kAny).find("matmul_add"), std::string::npos);
}

}  // namespace
}  // namespace motley
