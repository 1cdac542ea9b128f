#include "train/schedule.h"

#include <gtest/gtest.h>

namespace motley {
namespace {

TEST(Schedule, RisesInAStraightLineOverTheWarmUp) {
  for (int kind = 0; kind < 6; ++kind) {
    Schedule s{.kind = static_cast<ScheduleKind>(kind), .base = 2e-3, .warmup = 40, .steps = 400};
    for (int64_t t = 1; t <= 40; ++t)
      EXPECT_DOUBLE_EQ(learning_rate(s, t), 2e-3 * static_cast<double>(t) / 40) << kScheduleNames[static_cast<size_t>(kind)];
  }
}

TEST(Schedule, FallsAsItsKindSays) {
  Schedule s{.base = 1, .warmup = 100, .steps = 1100, .floor = 0.1, .decay = 0.2};
  auto at = [&](ScheduleKind kind, int64_t step) {
    s.kind = kind;
    return learning_rate(s, step);
  };
  EXPECT_DOUBLE_EQ(at(ScheduleKind::constant, 1100), 1);
  EXPECT_NEAR(at(ScheduleKind::linear, 600), 0.55, 1e-12);
  EXPECT_NEAR(at(ScheduleKind::linear, 1100), 0.1, 1e-12);
  EXPECT_NEAR(at(ScheduleKind::cosine, 600), 0.55, 1e-12);
  EXPECT_NEAR(at(ScheduleKind::cosine, 350), 0.1 + 0.9 * 0.8535533905932737, 1e-12);
  EXPECT_NEAR(at(ScheduleKind::cosine, 1100), 0.1, 1e-12);
  EXPECT_DOUBLE_EQ(at(ScheduleKind::warmup_stable_decay, 880), 1);
  EXPECT_NEAR(at(ScheduleKind::warmup_stable_decay, 990), 0.55, 1e-12);
  EXPECT_NEAR(at(ScheduleKind::warmup_stable_decay, 1100), 0.1, 1e-12);
  EXPECT_NEAR(at(ScheduleKind::inverse_sqrt, 400), 0.5, 1e-12);
}

TEST(Schedule, ARunLongerThanPlannedStaysAtTheFloor) {
  Schedule s{.kind = ScheduleKind::linear, .base = 1, .warmup = 0, .steps = 10, .floor = 0.1};
  EXPECT_NEAR(learning_rate(s, 50), 0.1, 1e-12);
}

TEST(Plateau, HalvesAfterItsPatience) {
  Plateau p(2, 0.5);
  for (double loss : {1.0, 0.9, 0.91}) p.observe(loss);
  EXPECT_EQ(p.multiplier(), 1);
  p.observe(0.92);
  EXPECT_EQ(p.multiplier(), 0.5);
  Plateau again(2, 0.5);
  again.restore(p.state());
  again.observe(0.95);
  again.observe(0.95);
  EXPECT_EQ(again.multiplier(), 0.25);
}

}  // namespace
}  // namespace motley
