#include "quant/stored.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "quant/format.h"
#include "quant/from_levels.h"
#include "quant/levels_of.h"
#include "tensor/half.h"

namespace motley {
namespace {

template <class T>
std::vector<T> vector_file(const StoredFormat& f, const char* ending) {
  std::string bytes = read_file(std::string(MOTLEY_SOURCE_DIR) + "/tests/data/quant/" + lower_ascii(f.name) + ending, 1 << 20);
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

std::vector<float> kept_floats(const StoredFormat& f, const std::vector<uint8_t>& blocks) {
  const int64_t n = static_cast<int64_t>(blocks.size()) / f.block_bytes * f.block;
  std::vector<uint8_t> kept(static_cast<size_t>(row_bytes(f.kept, n)));
  keep(f, blocks.data(), kept.data(), n);
  std::vector<float> y(static_cast<size_t>(n));
  format(f.kept).unpack(kept.data(), y.data(), n);
  return y;
}

// tests/data/quant is made by tools/make_quant_vectors.py with the gguf package.
TEST(StoredFormats, UnpackToTheSameBitsAsTheGgufPackage) {
  for (const StoredFormat& f : stored_formats()) {
    auto blocks = vector_file<uint8_t>(f, ".blocks");
    auto expected = vector_file<float>(f, ".f32");
    ASSERT_EQ(expected.size(), 512u) << f.name;
    ASSERT_EQ(blocks.size(), 512u / static_cast<size_t>(f.block) * static_cast<size_t>(f.block_bytes)) << f.name;
    std::vector<float> y(512);
    unpack(f, blocks.data(), y.data(), 512);
    EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0) << f.name;
  }
}

// The scale's rounding to a 16-bit float is all that may be lost: 2^-11 of a number, or half a step of the smallest floats for its level.
TEST(StoredFormats, KeepOnlyRoundsTheScale) {
  for (const StoredFormat& f : stored_formats()) {
    if (f.group == 16 && !f.keep_block) continue;
    auto blocks = vector_file<uint8_t>(f, ".blocks");
    if (std::string_view(f.name) == "MXFP4")
      for (size_t i = 0; i < blocks.size(); i += static_cast<size_t>(f.block_bytes)) blocks[i] = static_cast<uint8_t>(104 + 2 * i / 17);  // 2^-24 up
    auto y = kept_floats(f, blocks);
    std::vector<float> x(y.size());
    unpack(f, blocks.data(), x.data(), 512);
    const bool exact = std::string_view(f.name) == "IQ4_NL" || std::string_view(f.name) == "MXFP4";
    for (size_t i = 0; i < x.size(); ++i) {
      // A level is at most 127, and IQ1_M multiplies it with a group scale of at most 15.
      const float bound = exact ? 0 : std::max(std::fabs(x[i]) * 0x1p-11f, 135 * 0x1p-25f);
      ASSERT_LE(std::fabs(x[i] - y[i]), bound) << f.name << " " << i << ": " << x[i] << " became " << y[i];
    }
  }
}

TEST(StoredFormats, ThoseWithScalesForSixteenLoseLessThanHalfALevelOfInt8) {
  for (const char* name : {"IQ2_XS", "IQ2_S"}) {
    const StoredFormat& f = *find_stored_format(name);
    auto blocks = vector_file<uint8_t>(f, ".blocks");
    auto y = kept_floats(f, blocks);
    std::vector<float> x(y.size());
    unpack(f, blocks.data(), x.data(), 512);
    for (size_t i = 0; i < x.size(); ++i) {
      float largest = 0;
      for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(x[j]));
      ASSERT_LE(std::fabs(x[i] - y[i]), largest * (1 / 254.0f + 0x1p-11f) + 127 * 0x1p-25f) << f.name << " " << i;
    }
  }
}

// Any bytes are a block: nothing outside a code book is read, and the levels are those that the kept type can hold.
TEST(StoredFormats, RandomBytesAreBlocks) {
  for (const StoredFormat& f : stored_formats())
    for (uint64_t seed = 0; seed < 64; ++seed) {
      std::vector<uint8_t> block(static_cast<size_t>(f.block_bytes));
      for (size_t i = 0; i < block.size(); ++i) block[i] = static_cast<uint8_t>(philox(seed, 3, i));
      int8_t q[256];
      float scale[16];
      f.levels(block.data(), q, scale);
      const int limit = f.kept == Dtype::q5_0 ? 15 : f.kept == Dtype::q6_k ? 31 : 127;
      for (int64_t i = 0; i < f.block; ++i) ASSERT_LE(std::abs(int{q[i]}), limit) << f.name;
      kept_floats(f, block);
    }
}

TEST(FromLevels, WritesWhatTheFormatReads) {
  for (Dtype d : {Dtype::q8_0, Dtype::q5_0, Dtype::q4_0}) {
    const int low = d == Dtype::q8_0 ? -128 : d == Dtype::q5_0 ? -16 : -8;
    int8_t q[32], read[32];
    for (int i = 0; i < 32; ++i) q[i] = static_cast<int8_t>(low + i * (-2 * low - 1) / 31);
    uint8_t block[34];
    float scale, min;
    level_writer(d)(q, -0.75f, block);
    levels_of(d, block, read, &scale, &min);
    EXPECT_EQ(std::memcmp(q, read, 32), 0) << name(d);
    EXPECT_EQ(scale, -0.75f);
    level_writer(d)(q, -1e30f, block);
    levels_of(d, block, read, &scale, &min);
    EXPECT_EQ(scale, -65504.0f);
  }
}

}  // namespace
}  // namespace motley
