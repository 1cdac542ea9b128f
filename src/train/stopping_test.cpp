#include "train/stopping.h"

#include <gtest/gtest.h>

#include <cmath>

namespace motley {
namespace {

TEST(EarlyStopping, StopsAfterItsPatienceAndKnowsTheBest) {
  EarlyStopping stopping(3);
  const double losses[] = {1.0, 0.9, 0.95, 0.96, 0.97};
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(stopping.observe(i + 1, losses[i]).stop, i == 4) << i;
  EXPECT_EQ(stopping.state().best_step, 2);
  EXPECT_EQ(stopping.state().best, 0.9);
}

TEST(EarlyStopping, GoesOnFromACheckpoint) {
  EarlyStopping first(2);
  first.observe(1, 1.0), first.observe(2, 1.1);
  EarlyStopping second(2);
  second.restore(first.state());
  EXPECT_TRUE(second.observe(3, 1.2).stop);
}

TEST(EarlyStopping, ALossThatIsNotANumberIsNeverTheBest) {
  EarlyStopping stopping(5);
  EXPECT_FALSE(stopping.observe(1, NAN).best);
  EXPECT_TRUE(stopping.observe(2, 3.0).best);
}

TEST(SpikeGuard, SkipsALeapAndGoesOn) {
  SpikeGuard guard({});
  for (int i = 0; i < 40; ++i) ASSERT_EQ(guard.observe(3 + 0.1 * std::sin(i)), SpikeGuard::Verdict::take);
  EXPECT_EQ(guard.observe(9), SpikeGuard::Verdict::skip);
  EXPECT_EQ(guard.observe(NAN), SpikeGuard::Verdict::skip);
  EXPECT_EQ(guard.observe(3.05), SpikeGuard::Verdict::take);
}

TEST(SpikeGuard, StopsWhenItPersists) {
  SpikeGuard guard({.persistence = 4});
  guard.observe(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(guard.observe(INFINITY), SpikeGuard::Verdict::skip);
  EXPECT_EQ(guard.observe(INFINITY), SpikeGuard::Verdict::stop);
}

TEST(SpikeGuard, LeavesTheFirstStepsAlone) {  // a new model's loss may rise before it falls
  SpikeGuard guard({});
  for (double loss : {2.0, 11.0, 10.0, 9.0}) EXPECT_EQ(guard.observe(loss), SpikeGuard::Verdict::take);
}

}  // namespace
}  // namespace motley
