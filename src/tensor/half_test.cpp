#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace motley {
namespace {

TEST(Half, EveryValueSurvivesTheRoundTrip) {
  for (uint32_t h = 0; h < 65536; ++h) {
    auto bits = static_cast<uint16_t>(h);
    float f = f16_to_float(bits), b = bf16_to_float(bits);
    EXPECT_TRUE(float_to_f16(f) == bits || (std::isnan(f) && std::isnan(f16_to_float(float_to_f16(f)))));
    EXPECT_TRUE(float_to_bf16(b) == bits || (std::isnan(b) && std::isnan(bf16_to_float(float_to_bf16(b)))));
  }
}

// Between neighbours the nearer wins, and in the middle the one whose last bit is zero.
TEST(Half, RoundsToNearestTiesToEven) {
  for (uint32_t h = 0; h < 0x7BFF; ++h) {
    float low = f16_to_float(static_cast<uint16_t>(h)), high = f16_to_float(static_cast<uint16_t>(h + 1));
    float middle = (low + high) / 2;  // exact in float
    EXPECT_EQ(float_to_f16(middle), (h & 1) ? h + 1 : h);
    EXPECT_EQ(float_to_f16(std::nextafter(middle, low)), h);
    EXPECT_EQ(float_to_f16(std::nextafter(middle, high)), h + 1);
  }
  EXPECT_EQ(float_to_f16(65519.996f), 0x7BFF);
  EXPECT_EQ(float_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(float_to_f16(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(float_to_bf16(1.00390625f), 0x3F80);  // a tie, to even
  EXPECT_EQ(float_to_bf16(1.01171875f), 0x3F82);  // a tie, to even
}

}  // namespace
}  // namespace motley
