#include "train/step_cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace motley {
namespace {

using testing::HasSubstr;

// A model of 100 MiB, and 8 MiB of values for each row, of which recomputation keeps a half or a quarter.
int64_t bytes_of(const StepCut& cut) {
  const int64_t row = cut.recompute == Recompute::none ? 8 : cut.recompute == Recompute::selective ? 4 : 2;
  return (100 + row * cut.rows) << 20;
}

CutChoice choose(CutWishes wishes, int64_t limit_mib, int* asked = nullptr) {
  wishes.limit_bytes = limit_mib << 20;
  return choose_cut(wishes, [&](const StepCut& cut) {
    if (asked) ++*asked;
    return bytes_of(cut);
  });
}

TEST(StepCut, WhatFitsWholeIsNotCut) {
  int asked = 0;
  CutChoice c = choose({.batch = 16, .length = 512}, 1000, &asked);
  EXPECT_TRUE(c.fits);
  EXPECT_EQ(c.cut, (StepCut{16, 1, Recompute::none}));
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(c.notes.empty());
}

TEST(StepCut, FewerRowsAtOnceComeBeforeComputingAgain) {
  CutChoice c = choose({.batch = 16, .length = 512}, 150);
  EXPECT_EQ(c.cut, (StepCut{4, 4, Recompute::none}));
  ASSERT_EQ(c.notes.size(), 1u);
  EXPECT_THAT(c.notes[0], testing::AllOf(HasSubstr("16 rows at once would need 228 MiB of 150"), HasSubstr("4 rows at once it is, with 132 MiB")));
}

TEST(StepCut, ShortRowsAreRatherComputedAgain) {
  EXPECT_EQ(choose({.batch = 16, .length = 16}, 116).cut, (StepCut{4, 4, Recompute::selective}));
  EXPECT_EQ(choose({.batch = 16, .length = 512}, 103).cut, (StepCut{1, 16, Recompute::full}));
}

TEST(StepCut, WhatIsAskedForIsDoneOrDoesNotFit) {
  EXPECT_EQ(choose({.batch = 16, .rows = 8, .length = 512}, 1000).cut, (StepCut{8, 2, Recompute::none}));
  EXPECT_EQ(choose({.batch = 16, .rows = 8, .length = 512}, 140).cut, (StepCut{8, 2, Recompute::selective}));
  EXPECT_EQ(choose({.batch = 16, .recompute = Recompute::full, .length = 512}, 1000).cut, (StepCut{16, 1, Recompute::full}));
  CutChoice none = choose({.batch = 16, .length = 512}, 101);
  EXPECT_FALSE(none.fits);
  EXPECT_EQ(none.cut.rows, 1);
  EXPECT_EQ(none.bytes, int64_t{102} << 20);
  EXPECT_ANY_THROW(choose({.batch = 16, .rows = 3, .length = 512}, 1000));
}

TEST(StepCut, TheLargestBatchIsFound) {
  for (int64_t limit : {109, 150, 333, 777}) {
    CutChoice c = choose({.length = 512, .most_rows = 1000}, limit);
    ASSERT_TRUE(c.fits) << limit;
    EXPECT_EQ(c.cut.rows, (limit - 100) / 8) << limit;
    EXPECT_EQ(c.cut.micro_batches, 1);
    EXPECT_EQ(c.cut.recompute, Recompute::none);
  }
  EXPECT_EQ(choose({.length = 512, .most_rows = 20}, 100000).cut.rows, 20);
  EXPECT_EQ(choose({.length = 512, .most_rows = 20}, 103).cut, (StepCut{1, 1, Recompute::full}));
  EXPECT_EQ(choose({.rows = 5, .length = 512, .most_rows = 20}, 1000).cut.rows, 5);
  EXPECT_FALSE(choose({.length = 512, .most_rows = 20}, 101).fits);
}

}  // namespace
}  // namespace motley
