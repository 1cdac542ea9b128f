#include "passes/in_place.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "passes/lower.h"
#include "passes/test_target.h"

namespace motley {
namespace {

// As on the CPU: sums bear what they are added to where they are written.
int as_sums(const Node& n) { return std::holds_alternative<OuterSum>(n.op) || std::holds_alternative<ScatterAdd>(n.op) ? 2 : -1; }

// The nodes whose first result lies in a state's memory, by name.
std::vector<std::string> placed(const std::string& text) {
  const Graph graph = parse_graph(text);
  const auto where = values_in_states(graph, as_sums);
  std::vector<std::string> names;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (where[i][0].valid()) names.push_back(graph.nodes[i].name);
  return names;
}
using Names = std::vector<std::string>;

constexpr const char* kLeaves = R"(graph
%0 = input : f32[4,3] "a"
%1 = input : f32[4,5] "b"
%2 = input : i32[4] "ids"
%3 = state : f32[3,5] "s"
)";

TEST(InPlace, AGradientIsFormedInItsState) {
  const std::string text = std::string(kLeaves) + R"(%4 = outer_sum(%0, %1) : f32[3,5] "dw"
%5 = assign(%3, %4) : f32[3,5] "keep"
update %5 "s"
)";
  EXPECT_EQ(placed(text), (Names{"dw", "keep"}));
  const TestTarget any({"*"});
  const Program program = lower(parse_graph(text), any.get(), 0, false);
  ASSERT_EQ(program.steps.size(), 1u) << "the assign is no step";
  EXPECT_EQ(program.buffers[static_cast<size_t>(program.steps[0].out[0])].space, Space::state);
}

TEST(InPlace, SumsUponSumsToo) {
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = input : f32[4,5] "y"
%5 = outer_sum(%0, %1) : f32[3,5] "dw"
%6 = scatter_add(%4, %2, %5) rows=3 : f32[3,5] "both"
%7 = assign(%3, %6) : f32[3,5] "keep"
update %7 "s"
)"),
            (Names{"dw", "both", "keep"}));
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = outer_sum(%0, %1, %3) : f32[3,5] "more"
%5 = assign(%3, %4) : f32[3,5] "keep"
update %5 "s"
)"),
            (Names{"more", "keep"}));
}

TEST(InPlace, NotWhatIsReadElsewhere) {
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = outer_sum(%0, %1) : f32[3,5] "dw"
%5 = assign(%3, %4) : f32[3,5] "keep"
update %5 "s"
output %4 "dw"
)"),
            Names{});
}

TEST(InPlace, NotWhileTheOldValueIsWanted) {
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = outer_sum(%0, %1) : f32[3,5] "dw"
%5 = reshape(%3) shape=[15] : f32[15] "view"
%6 = neg(%5) : f32[15] "old"
%7 = assign(%3, %4) : f32[3,5] "keep"
update %7 "s"
output %6 "old"
)"),
            Names{});
  // The maker itself reads it where its kernel does not bear that.
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = exp(%3) : f32[3,5] "grown"
%5 = assign(%3, %4) : f32[3,5] "keep"
update %5 "s"
)"),
            Names{});
}

TEST(InPlace, AReaderBeforeIsNoHindrance) {
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = neg(%3) : f32[3,5] "old"
%5 = exp(%4) : f32[3,5] "fresh"
%6 = assign(%3, %5) : f32[3,5] "keep"
update %6 "s"
output %4 "old"
)"),
            (Names{"fresh", "keep"}));
}

TEST(InPlace, NotInputsStatesAndConstants) {
  EXPECT_EQ(placed(std::string(kLeaves) + R"(%4 = input : f32[3,5] "given"
%5 = assign(%3, %4) : f32[3,5] "keep"
update %5 "s"
)"),
            Names{});
}

}  // namespace
}  // namespace motley
