#include "passes/pass.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "motley/error.h"
#include "passes/lower.h"
#include "passes/memory.h"
#include "passes/pipeline.h"
#include "passes/schedule.h"
#include "passes/test_target.h"

namespace motley {
namespace {

constexpr const char* kGraph = R"(graph
%0 = input : f32[T<=4,8] "x"
%1 = state : q8_0[32,32] "w"
%2 = input : f32[T<=4,32] "z"
%3 = matmul(%2, %1) transpose_w=true activation=f32 : f32[T<=4,32] "p"
%4 = softcap(%0) cap=30 : f32[T<=4,8] "capped"
output %3 "p"
output %4 "c"
)";

TEST(Quantize, ProductsWithQuantisedWeightsSayHowActivationsAreStored) {
  EXPECT_NE(after(quantize, kGraph, TestTarget({"*"})).find("matmul(%2, %1) transpose_w=true activation=q8_32"), std::string::npos);
}

TEST(Expand, CompositesStayWholeOnlyWhereThereIsAKernel) {
  EXPECT_NE(after(expand, kGraph, TestTarget({"*"})).find("softcap"), std::string::npos);
  std::string simple = after(expand, kGraph, TestTarget({"matmul", "tanh", "div", "mul"}));
  EXPECT_EQ(simple.find("softcap"), std::string::npos);
  EXPECT_NE(simple.find("tanh"), std::string::npos);
  EXPECT_NE(simple.find("\"capped\""), std::string::npos) << "the expansion keeps the node's name";
}

TEST(Runner, NamesThatDoNotExistAreRefusedWithTheNearest) {
  TestTarget target({"*"});
  try {
    run_passes(parse_graph(kGraph), graph_passes(), {target.get(), {"fuze"}, {}});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean 'fuse'?"), std::string::npos) << e.what();
  }
}

TEST(Runner, EveryPassIsShownAndVerified) {
  TestTarget target({"*"});
  std::string seen;
  run_passes(parse_graph(kGraph), graph_passes(),
             {target.get(), {"simplify"}, [&](std::string_view pass, const Graph&) { seen += std::string(pass) + " "; }});
  EXPECT_EQ(seen, "build quantize fold expand fuse ");
}

// A chain a -> b -> c -> d: two buffers suffice whatever the length.
TEST(Memory, BuffersThatDoNotLiveTogetherShareBytes) {
  std::string chain = "graph\n%0 = input : f32[64] \"x\"\n";
  for (int i = 1; i <= 6; ++i) chain += fmt::format("%{} = exp(%{}) : f32[64] \"n{}\"\n", i, i - 1, i);
  chain += "output %6 \"y\"\n";
  TestTarget target({"*"});
  Program p = lower(parse_graph(chain), target.get(), 0, false);
  plan_memory(p);
  EXPECT_EQ(p.arena_bytes, 2 * 256);
  place_barriers(p);
  EXPECT_EQ(print(parse_program(print(p))), print(p));
}

TEST(Memory, NoTwoLivingBuffersOverlap) {
  // Every value is read again at the end, so all live together.
  std::string text = "graph\n%0 = input : f32[16] \"x\"\n";
  for (int i = 1; i <= 5; ++i) text += fmt::format("%{} = exp(%0) : f32[16] \"n{}\"\n", i, i);
  text += "%6 = concat(%1, %2, %3, %4, %5) axis=0 : f32[80] \"all\"\noutput %6 \"y\"\n";
  TestTarget target({"*"});
  Program p = lower(parse_graph(text), target.get(), 0, false);
  plan_memory(p);
  std::set<int64_t> offsets;
  for (const Buffer& b : p.buffers) EXPECT_TRUE(b.space != Space::arena || offsets.insert(b.at).second);
  EXPECT_EQ(offsets.size(), 6u);
}

TEST(Barriers, OnlyWhereAStepNeedsWhatOthersWrote) {
  std::string text = R"(graph
%0 = input : f32[16] "x"
%1 = exp(%0) : f32[16] "a"
%2 = neg(%0) : f32[16] "b"
%3 = add(%1, %2) : f32[16] "c"
output %3 "y"
)";
  TestTarget target({"*"});
  Program p = lower(parse_graph(text), target.get(), 0, false);
  plan_memory(p);
  place_barriers(p);
  ASSERT_EQ(p.steps.size(), 3u);
  EXPECT_FALSE(p.steps[0].barrier);
  EXPECT_FALSE(p.steps[1].barrier);
  EXPECT_TRUE(p.steps[2].barrier);
}

TEST(Lower, NamesTheNodeAndEveryRefusal) {
  TestTarget none({"exp"});
  try {
    lower(parse_graph(kGraph), none.get(), 0, false);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("no kernel for matmul \"p\""), std::string::npos) << e.what();
  }
}

TEST(Lower, AProgramIsMadeForARangeOfTokens) {
  TestTarget target({"*"});
  Compiled c = compile(parse_graph(kGraph), target.get(), {.token_ranges = {1, 4}, .skip = {}, .after = {}});
  ASSERT_EQ(c.programs.size(), 2u);
  EXPECT_EQ(c.programs[0].max_T, 1);
  EXPECT_EQ(c.programs[1].min_T, 2);
  EXPECT_EQ(c.programs[1].max_T, 4);
}

}  // namespace
}  // namespace motley
