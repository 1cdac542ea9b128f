#include <gtest/gtest.h>

#include "passes/pass.h"
#include "passes/test_target.h"

namespace motley {
namespace {

const TestTarget kAny({"*"});

TEST(Simplify, RemovesWhatChangesNothing) {
  EXPECT_EQ(after(simplify, R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = const shape=[1] values=[1] : f32[1] "one"
%2 = const shape=[1] values=[0] : f32[1] "zero"
%3 = mul(%0, %1) : f32[T<=4,8] "a"
%4 = add(%2, %3) : f32[T<=4,8] "b"
%5 = cast(%4) dtype=f32 : f32[T<=4,8] "c"
%6 = slice(%5) axis=-1 begin=0 size=8 : f32[T<=4,8] "d"
%7 = transpose(%6) perm=[0,1] : f32[T<=4,8] "e"
output %7 "y"
)",
                  kAny),
            R"(graph
%0 = input : f32[T<=4,8] "x"
output %0 "y"
)");
}

TEST(Simplify, KeepsABroadcastThatOnlyLooksLikeAnIdentity) {
  constexpr const char* kGraph = R"(graph
%0 = input : f32[1] "x"
%1 = const shape=[4] values=[0] : f32[4] "zeros"
%2 = add(%0, %1) : f32[4] "wide"
output %2 "y"
)";
  EXPECT_EQ(after(simplify, kGraph, kAny), kGraph);
}

TEST(Simplify, JoinsReshapesAndSaysNothingTwice) {
  EXPECT_EQ(after(simplify, R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = reshape(%0) shape=[T<=4,2,4] : f32[T<=4,2,4] "a"
%2 = reshape(%1) shape=[T<=4,4,2] : f32[T<=4,4,2] "b"
%3 = exp(%0) : f32[T<=4,8] "e1"
%4 = exp(%0) : f32[T<=4,8] "e2"
%5 = add(%3, %4) : f32[T<=4,8] "sum"
output %2 "r"
output %5 "y"
)",
                  kAny),
            R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = reshape(%0) shape=[T<=4,4,2] : f32[T<=4,4,2] "b"
%2 = exp(%0) : f32[T<=4,8] "e1"
%3 = add(%2, %2) : f32[T<=4,8] "sum"
output %1 "r"
output %3 "y"
)");
}

TEST(Simplify, NeverMergesChangesOfAState) {
  constexpr const char* kGraph = R"(graph
%0 = state : f32[2,1,4,8] "a"
%1 = state : f32[2,1,4,8] "b"
%2 = input : f32[T<=4,1,8] "rows"
%3 = input : i32[T<=4] "slots"
%4 = cache_append(%0, %2, %3) : f32[2,1,4,8] "a"
%5 = cache_append(%1, %2, %3) : f32[2,1,4,8] "b"
update %4 "a"
update %5 "b"
)";
  EXPECT_EQ(after(simplify, kGraph, kAny), kGraph);
}

TEST(Simplify, DropsWhatOnlyFeedsWhatIsDropped) {
  EXPECT_EQ(after(simplify, R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = exp(%0) : f32[T<=4,8] "unused"
%2 = exp(%1) : f32[T<=4,8] "unused too"
output %0 "y"
)",
                  kAny),
            R"(graph
%0 = input : f32[T<=4,8] "x"
output %0 "y"
)");
}

TEST(Simplify, EachRewriteCanBeLeftOut) {
  constexpr const char* kGraph = R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = exp(%0) : f32[T<=4,8] "unused"
output %0 "y"
)";
  EXPECT_EQ(after(simplify, kGraph, kAny, {"simplify.dead"}), kGraph);
  EXPECT_NE(after(simplify, kGraph, kAny), kGraph);
}

}  // namespace
}  // namespace motley
