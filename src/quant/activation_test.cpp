#include "quant/activation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace motley {
namespace {

std::vector<float> normal(int64_t n, float size) {
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) x[i] = size * philox_normal(3, 1, i);
  return x;
}

TEST(Activations, FollowTheirDefinition) {
  for (float size : {1e-20f, 1e-3f, 1.0f, 1e5f, 1e30f}) {
    auto x = normal(256, size);
    QuantisedRow row = quantise_activations(x);
    ActivationRow a = row.view();
    EXPECT_EQ(row.size(), 256);
    for (size_t group = 0; group < 8; ++group) {
      float amax = 0;
      for (size_t j = 0; j < 32; ++j) amax = std::max(amax, std::fabs(x[32 * group + j]));
      EXPECT_EQ(a.scales[group], amax * (1.0f / 127.0f));
      float inverse = 127.0f / amax;
      int largest = 0, sums[2] = {};
      for (size_t j = 0; j < 32; ++j) {
        int q = a.values[32 * group + j];
        EXPECT_EQ(q, static_cast<int>(std::nearbyint(x[32 * group + j] * inverse))) << "the default rounding mode is ties to even";
        EXPECT_NEAR(x[32 * group + j], a.scales[group] * static_cast<float>(q), 0.5001f * a.scales[group]);
        largest = std::max(largest, std::abs(q));
        sums[j / 16] += q;
      }
      EXPECT_EQ(largest, 127);
      EXPECT_EQ(a.sums[2 * group], sums[0]);
      EXPECT_EQ(a.sums[2 * group + 1], sums[1]);
    }
  }
}

TEST(Activations, TiesGoToEven) {
  std::vector<float> x(32, 0.0f);
  x[0] = 127;
  x[1] = 0.5f;
  x[2] = 1.5f;
  x[3] = -2.5f;
  x[4] = -3.5f;
  ActivationRow a{};
  QuantisedRow row = quantise_activations(x);
  a = row.view();
  EXPECT_EQ(std::vector<int>(a.values, a.values + 6), (std::vector<int>{127, 0, 2, -2, -4, 0}));
}

TEST(Activations, SumsOfTheLargestValuesFit) {
  std::vector<float> x(64, -2.0f);
  QuantisedRow row = quantise_activations(x);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(row.view().sums[i], -16 * 127);
}

TEST(Activations, ZerosAndTheVanishinglySmallAreZero) {
  for (float v : {0.0f, -0.0f, 0x1p-101f, 0x1p-149f}) {
    QuantisedRow row = quantise_activations(std::vector<float>(32, v));
    EXPECT_EQ(row.view().scales[0], 0.0f);
    EXPECT_EQ(row.view().values[5], 0);
  }
  QuantisedRow row = quantise_activations(std::vector<float>(32, 0x1p-100f));
  EXPECT_EQ(row.view().values[5], 127);
}

TEST(Activations, NanAndInfinityMakeTheGroupNanAndOnlyThatGroup) {
  for (float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                    -std::numeric_limits<float>::infinity()})
    for (size_t at : {0u, 17u, 31u}) {
      std::vector<float> x(96, 1.0f);
      x[32 + at] = bad;
      QuantisedRow row = quantise_activations(x);
      ActivationRow a = row.view();
      EXPECT_TRUE(std::isnan(a.scales[1]));
      for (int j = 32; j < 64; ++j) EXPECT_EQ(a.values[j], 0);
      EXPECT_EQ(a.sums[2], 0);
      EXPECT_EQ(a.values[0], 127);
      EXPECT_EQ(a.values[64], 127);
      EXPECT_EQ(a.scales[0], a.scales[2]);
    }
}

TEST(Activations, RowsOfABufferStartAtCacheLinesAndHoldTheirParts) {
  EXPECT_EQ(activation_row_bytes(ActivationFormat::f32, 96), 384);
  for (int64_t n : {32, 64, 96, 256, 2048, 2080}) {
    int64_t bytes = activation_row_bytes(ActivationFormat::q8_32, n);
    EXPECT_EQ(bytes % 64, 0);
    ActivationRow a = activation_row(nullptr, n);
    EXPECT_EQ(reinterpret_cast<intptr_t>(a.scales), n);
    EXPECT_EQ(reinterpret_cast<intptr_t>(a.sums), n + n / 8);
    EXPECT_LE(reinterpret_cast<intptr_t>(a.sums) + n / 8, bytes);
  }
  EXPECT_STREQ(name(ActivationFormat::q8_32), "q8_32");
}

}  // namespace
}  // namespace motley
