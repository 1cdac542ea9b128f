#include "io/dataset/hold_back.h"

#include <gtest/gtest.h>

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

std::vector<int32_t> all_ids(const Samples& s) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < s.size(); ++i) out.insert(out.end(), s.ids(i).begin(), s.ids(i).end());
  return out;
}

TEST(HoldBack, TakesTheEndAndLosesNothing) {
  Samples whole = test::make_samples({.ids = {{1, 2, 3, 4}, {5, 6, 7, 8, 9, 10}, {11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}});
  auto [learned, held] = hold_back(whole, 0.25);
  EXPECT_EQ(learned.size(), 3);  // the last text was cut
  EXPECT_EQ(held.size(), 1);
  EXPECT_EQ(learned.tokens() + held.tokens(), whole.tokens());
  EXPECT_EQ(held.tokens(), 5);
  auto joined = all_ids(learned), rest = all_ids(held);
  joined.insert(joined.end(), rest.begin(), rest.end());
  EXPECT_EQ(joined, all_ids(whole));
}

TEST(HoldBack, LabelledSamplesStayWhole) {
  Samples whole = test::make_samples({.ids = {{1, 2}, {3, 4}, {5, 6}, {7, 8}}, .labels = {0, 1, 2, 3}, .label_width = 1});
  auto [learned, held] = hold_back(whole, 0.3);
  ASSERT_EQ(learned.size(), 3);
  ASSERT_EQ(held.size(), 1);
  EXPECT_EQ(held.labels(0)[0], 3);
  EXPECT_EQ(learned.labels(2)[0], 2);
}

TEST(HoldBack, NothingWhereNothingIsWanted) {
  Samples whole = test::make_samples({.ids = {{1, 2, 3}}});
  auto [learned, held] = hold_back(whole, 0);
  EXPECT_EQ(learned.tokens(), 3);
  EXPECT_EQ(held.size(), 0);
  EXPECT_EQ(held.tokens(), 0);
}

}  // namespace
}  // namespace motley
