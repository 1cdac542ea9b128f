#include "io/dataset/hold_back.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "io/dataset/dataset_test_support.h"

namespace motley {
namespace {

std::vector<int32_t> all_ids(const Samples& s) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < s.size(); ++i) out.insert(out.end(), s.ids(i).begin(), s.ids(i).end());
  return out;
}

// Samples of two tokens: their number, and their class.
Samples labelled(int count, int classes, int64_t copies = 0) {
  test::Made made;
  made.label_width = 1;
  for (int i = 0; i < count; ++i)
    for (int64_t c = 0; c <= copies; ++c) {
      made.ids.push_back({i, static_cast<int32_t>(c)});
      made.labels.push_back(static_cast<float>(i % classes));
    }
  SampleData data = test::make_samples(made).data();
  for (int c = 0; c < classes; ++c) data.classes.push_back("class " + std::to_string(c));
  data.copies = copies;
  return Samples(std::move(data));
}

TEST(HoldBack, TakesTheEndOfLongTextsAndLosesNothing) {
  Samples whole = test::make_samples({.ids = {{1, 2, 3, 4}, {5, 6, 7, 8, 9, 10}, {11, 12, 13, 14, 15, 16, 17, 18, 19, 20}}});
  auto [learned, held, words] = hold_back(whole, 0.25, 1);
  EXPECT_EQ(learned.size(), 3);  // the last text was cut
  EXPECT_EQ(held.size(), 1);
  EXPECT_EQ(learned.tokens() + held.tokens(), whole.tokens());
  EXPECT_EQ(held.tokens(), 5);
  auto joined = all_ids(learned), rest = all_ids(held);
  joined.insert(joined.end(), rest.begin(), rest.end());
  EXPECT_EQ(joined, all_ids(whole));
  EXPECT_EQ(words, "from the end of the data");
}

TEST(HoldBack, DrawsWholeSamplesWhereThereAreMany) {
  test::Made made;
  for (int i = 0; i < 400; ++i) made.ids.push_back(std::vector<int32_t>(static_cast<size_t>(2 + i % 5), i));
  Samples whole = test::make_samples(made);
  auto [learned, held, words] = hold_back(whole, 0.1, 7);
  EXPECT_EQ(held.size(), 40);
  EXPECT_EQ(learned.size(), 360);
  EXPECT_EQ(learned.tokens() + held.tokens(), whole.tokens());
  std::set<int32_t> seen;
  for (const Samples* part : {&learned, &held})
    for (int64_t i = 0; i < part->size(); ++i) {
      const int32_t number = part->ids(i)[0];
      EXPECT_TRUE(seen.insert(number).second) << number;
      EXPECT_EQ(part->ids(i).size(), static_cast<size_t>(2 + number % 5));
    }
  EXPECT_EQ(seen.size(), 400u);
  EXPECT_LT(held.ids(0)[0], 200) << "not the end";
  EXPECT_EQ(words, "40 of 400 samples, drawn by seed 7");
  EXPECT_EQ(all_ids(hold_back(whole, 0.1, 7).held), all_ids(held));
  EXPECT_NE(all_ids(hold_back(whole, 0.1, 8).held), all_ids(held));
}

TEST(HoldBack, OfEachClassItsShare) {
  auto [learned, held, words] = hold_back(labelled(300, 3), 0.1, 1);
  ASSERT_EQ(held.size(), 30);
  std::map<float, int> of;
  for (int64_t i = 0; i < held.size(); ++i) {
    ++of[held.labels(i)[0]];
    EXPECT_EQ(held.labels(i)[0], static_cast<float>(held.ids(i)[0] % 3)) << "labels go with their samples";
  }
  EXPECT_EQ(of, (std::map<float, int>{{0, 10}, {1, 10}, {2, 10}}));
  EXPECT_EQ(words, "30 of 300 samples, drawn by seed 1, of each class its share");
}

TEST(HoldBack, WhatWasMadeOfASampleIsNeitherLearnedWithoutItNorEvaluated) {
  auto [learned, held, words] = hold_back(labelled(100, 2, 2), 0.2, 1);
  EXPECT_EQ(held.size(), 20);
  EXPECT_EQ(learned.size(), 240);
  std::set<int32_t> evaluated;
  for (int64_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(held.ids(i)[1], 0) << "a copy";
    evaluated.insert(held.ids(i)[0]);
  }
  for (int64_t i = 0; i < learned.size(); ++i) EXPECT_FALSE(evaluated.contains(learned.ids(i)[0]));
}

TEST(HoldBack, NothingWhereNothingIsWanted) {
  Samples whole = test::make_samples({.ids = {{1, 2, 3}}});
  auto [learned, held, words] = hold_back(whole, 0, 1);
  EXPECT_EQ(learned.tokens(), 3);
  EXPECT_EQ(held.size(), 0);
  EXPECT_EQ(held.tokens(), 0);
  EXPECT_EQ(words, "");
}

}  // namespace
}  // namespace motley
