#include "nn/rope.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace motley {
namespace {

RopeConfig plain(int64_t dims, double theta = 10000) {
  RopeConfig rope;
  rope.dims = dims;
  rope.theta = theta;
  rope.max_positions = 128;
  return rope;
}

TEST(Rope, FrequenciesFallGeometrically) {
  auto f = rope_frequencies(plain(4), 128);
  ASSERT_EQ(f.size(), 2u);
  EXPECT_DOUBLE_EQ(f[0], 1);
  EXPECT_DOUBLE_EQ(f[1], 0.01);
}

TEST(Rope, Llama3KeepsShortWavesAndSlowsLongOnes) {
  RopeConfig rope = plain(64, 500000);
  const auto unscaled = rope_frequencies(rope, 128);
  rope.scaling = RopeScaling::llama3;
  rope.factor = 8;
  rope.original_positions = 8192;
  const auto scaled = rope_frequencies(rope, 128);
  for (size_t i = 0; i < scaled.size(); ++i) {
    double wave = 2 * std::numbers::pi / unscaled[i], kept = scaled[i] / unscaled[i];
    if (wave < 8192 / 4.0) {
      EXPECT_DOUBLE_EQ(kept, 1) << i;
    }
    if (wave > 8192 / 1.0) {
      EXPECT_DOUBLE_EQ(kept, 1 / 8.0) << i;
    }
    EXPECT_LE(kept, 1.0);
    EXPECT_GE(kept, 1 / 8.0);
    if (i > 0) {
      EXPECT_LT(scaled[i], scaled[i - 1]);
    }
  }
}

TEST(Rope, DynamicChangesOnlyBeyondTheTrainedContext) {
  RopeConfig rope = plain(8);
  const auto unscaled = rope_frequencies(rope, 128);
  rope.scaling = RopeScaling::dynamic;
  rope.factor = 2;
  EXPECT_EQ(rope_frequencies(rope, 128), unscaled);
  const auto longer = rope_frequencies(rope, 256);
  // transformers: base * (factor * length / trained - (factor - 1)) ^ (dims / (dims - 2)) = 10000 * 3^(8/6)
  EXPECT_NEAR(longer[1], std::pow(10000 * std::pow(3.0, 8.0 / 6.0), -2.0 / 8), 1e-15);
  EXPECT_DOUBLE_EQ(longer[0], 1);
}

TEST(Rope, LongropeChoosesByTheSessionsContext) {
  RopeConfig rope = plain(4);
  rope.scaling = RopeScaling::longrope;
  rope.original_positions = 64;
  rope.divisors = {1, 2};
  rope.long_divisors = {4, 8};
  EXPECT_DOUBLE_EQ(rope_frequencies(rope, 64)[1], 0.01 / 2);
  EXPECT_DOUBLE_EQ(rope_frequencies(rope, 65)[1], 0.01 / 8);
}

TEST(Rope, YarnInterpolatesLongWavesOnly) {
  RopeConfig rope = plain(64);
  const auto unscaled = rope_frequencies(rope, 128);
  rope.scaling = RopeScaling::yarn;
  rope.factor = 4;
  rope.original_positions = 4096;
  const auto scaled = rope_frequencies(rope, 128);
  EXPECT_DOUBLE_EQ(scaled.front(), unscaled.front());
  EXPECT_DOUBLE_EQ(scaled.back(), unscaled.back() / 4);
  EXPECT_NEAR(yarn_attention_factor(4), 0.1 * std::log(4.0) + 1, 1e-15);
  EXPECT_EQ(yarn_attention_factor(1), 1);
}

}  // namespace
}  // namespace motley
