#include "quant/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "quant/activation.h"
#include "quant/levels_of.h"
#include "tensor/half.h"

namespace motley {
namespace {

using Bytes = std::vector<uint8_t>;
using Floats = std::vector<float>;

Bytes packed(Dtype dtype, const Floats& x) {
  Bytes out(static_cast<size_t>(row_bytes(dtype, static_cast<int64_t>(x.size()))));
  format(dtype).pack(x.data(), out.data(), static_cast<int64_t>(x.size()));
  return out;
}

Floats unpacked(Dtype dtype, const Bytes& bytes) {
  Floats out(bytes.size() / static_cast<size_t>(info(dtype).block_bytes) * static_cast<size_t>(info(dtype).block));
  format(dtype).unpack(bytes.data(), out.data(), static_cast<int64_t>(out.size()));
  return out;
}

Floats round_trip(Dtype dtype, const Floats& x) { return unpacked(dtype, packed(dtype, x)); }

Floats normal(size_t n, float size = 1.0f, uint64_t seed = 1) {
  Floats x(n);
  for (size_t i = 0; i < n; ++i) x[i] = size * philox_normal(seed, 0, i);
  return x;
}

Bytes random_bytes(size_t n, uint64_t seed) {
  Bytes out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<uint8_t>(philox(seed, 5, i));
  return out;
}

double rms_error(const Floats& x, const Floats& y) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

std::vector<Dtype> block_formats() {
  std::vector<Dtype> out;
  for (const auto& d : dtypes())
    if (d.quantised) out.push_back(d.dtype);
  return out;
}

template <class T>
std::vector<T> vector_file(const std::string& file) {
  std::string bytes = read_file(std::string(MOTLEY_SOURCE_DIR) + "/tests/data/quant/" + file, 1 << 20);
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

// tests/data/quant is made by tools/make_quant_vectors.py with the gguf package.
TEST(Formats, UnpackToTheSameBitsAsTheGgufPackage) {
  for (Dtype d : block_formats()) {
    SCOPED_TRACE(name(d));
    auto expected = vector_file<float>(name(d) + std::string(".f32"));
    auto y = unpacked(d, vector_file<uint8_t>(name(d) + std::string(".blocks")));
    ASSERT_EQ(y.size(), 512u);
    ASSERT_EQ(expected.size(), y.size());
    EXPECT_EQ(std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)), 0);
  }
}

TEST(Formats, SimpleOnesPackToTheSameBytesAsTheGgufPackage) {
  auto x = vector_file<float>("x.f32");
  for (Dtype d : {Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1}) {
    auto expected = vector_file<uint8_t>(name(d) + std::string(".packed"));
    EXPECT_EQ(packed(d, x), expected) << name(d);
  }
}

// The root mean square error that ggml's own packer (quantize_row_*_ref, August 2026, no importance matrix) leaves on these 64 blocks.
TEST(Formats, KFormatsPackAtLeastAsWellAsTheReferencePacker) {
  struct Case {
    Dtype dtype;
    double reference;
  };
  auto x = normal(64 * 256);
  for (Case c : {Case{Dtype::q2_k, 0.29863}, Case{Dtype::q3_k, 0.150305}, Case{Dtype::q4_k, 0.0714734}, Case{Dtype::q5_k, 0.0361959},
                 Case{Dtype::q6_k, 0.0176655}}) {
    double error = rms_error(x, round_trip(c.dtype, x));
    EXPECT_LT(error, c.reference) << name(c.dtype);
    EXPECT_GT(error, 0.8 * c.reference) << name(c.dtype) << ": too good to be true";
  }
}

// Symmetric 8 bits on the textbook row: s = 0.01 and whole numbers -100, -26, 0, 13, 77, 127.
TEST(Formats, Q8OfATextbookRow) {
  Floats x(32, 0.0f), row = {-1.0f, -0.26f, 0.0f, 0.13f, 0.77f, 1.27f};
  std::copy(row.begin(), row.end(), x.begin());
  int8_t q[32];
  float scale, min;
  levels_of(Dtype::q8_0, packed(Dtype::q8_0, x).data(), q, &scale, &min);
  EXPECT_EQ(std::vector<int>(q, q + 7), (std::vector<int>{-100, -26, 0, 13, 77, 127, 0}));
  EXPECT_NEAR(scale, 0.01, 0.01 * 0x1p-11);
  EXPECT_EQ(min, 0.0f);
}

TEST(Formats, TiesRoundAsStated) {
  auto front_of = [](Dtype d, std::initializer_list<float> front) {
    Floats x(32, 0.0f);
    std::copy(front.begin(), front.end(), x.begin());
    std::vector<int8_t> q(32);
    float scale, min;
    levels_of(d, packed(d, x).data(), q.data(), &scale, &min);
    EXPECT_EQ(scale, 1.0f);
    return std::vector<int>(q.begin(), q.begin() + static_cast<std::ptrdiff_t>(front.size()));
  };
  EXPECT_EQ(front_of(Dtype::q8_0, {127, 0.5f, 1.5f, -0.5f, -2.5f}), (std::vector<int>{127, 1, 2, -1, -3}));
  EXPECT_EQ(front_of(Dtype::q4_0, {-8, 0.5f, 1.5f, -0.5f, -2.5f, 8}), (std::vector<int>{-8, 1, 2, 0, -2, 7}));
  EXPECT_EQ(front_of(Dtype::q5_0, {-16, 0.5f, 1.5f, -0.5f, -2.5f, 16}), (std::vector<int>{-16, 1, 2, 0, -2, 15}));
  EXPECT_EQ(front_of(Dtype::q4_1, {15, 0.5f, 1.5f, 2.5f}), (std::vector<int>{15, 1, 2, 3}));
  EXPECT_EQ(front_of(Dtype::q5_1, {31, 0.5f, 1.5f, 2.5f}), (std::vector<int>{31, 1, 2, 3}));
}

// Half a step inside the range (a whole one at the far end of the formats with one level more on one side), plus the rounding of the scale.
TEST(Formats, SimpleOnesErrByHalfAStep) {
  for (Dtype d : {Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1})
    for (float size : {1e-3f, 1.0f, 500.0f}) {
      auto x = normal(32 * 200, size, 9), y = round_trip(d, x);
      auto bytes = packed(d, x);
      for (size_t block = 0; block < 200; ++block) {
        int8_t q[32];
        float scale, min, largest = 0;
        levels_of(d, bytes.data() + block * static_cast<size_t>(info(d).block_bytes), q, &scale, &min);
        for (size_t j = 0; j < 32; ++j) largest = std::max(largest, std::fabs(x[32 * block + j]));
        bool one_sided = d == Dtype::q4_0 || d == Dtype::q5_0;
        for (size_t j = 0; j < 32; ++j) {
          float clipped = one_sided && q[j] == (d == Dtype::q4_0 ? 7 : 15) ? 1.0f : 0.5f;
          EXPECT_LE(std::fabs(x[32 * block + j] - y[32 * block + j]), clipped * std::fabs(scale) * 1.001f + 3 * largest * 0x1p-11f) << name(d);
        }
      }
    }
}

TEST(Formats, PackingWhatWasUnpackedChangesNothing) {
  auto x = normal(256 * 40, 0.02f, 4);
  for (Dtype d : {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::q8_0, Dtype::q4_0, Dtype::q4_1, Dtype::q5_0, Dtype::q5_1}) {
    auto once = round_trip(d, x);
    EXPECT_EQ(round_trip(d, once), once) << name(d);
  }
  EXPECT_EQ(packed(Dtype::q8_0, round_trip(Dtype::q8_0, x)), packed(Dtype::q8_0, x));
}

TEST(Formats, ZerosAreExact) {
  for (Dtype d : block_formats()) {
    for (float y : round_trip(d, Floats(512, 0.0f))) ASSERT_EQ(y, 0.0f) << name(d);
    bool symmetric = d == Dtype::q8_0 || d == Dtype::q4_0 || d == Dtype::q5_0 || d == Dtype::q3_k || d == Dtype::q6_k;
    if (!symmetric) continue;
    auto x = normal(256 * 8);
    for (size_t i = 0; i < x.size(); i += 3) x[i] = 0;
    auto y = round_trip(d, x);
    for (size_t i = 0; i < x.size(); i += 3) ASSERT_EQ(y[i], 0.0f) << name(d);
  }
}

TEST(Formats, ConstantBlocksKeepTheirValueToAHalfsPrecision) {
  for (Dtype d : block_formats())
    for (float c : {0.3f, -2.0f, 1.0f, -0.7f, 1000.0f})
      for (float y : round_trip(d, Floats(256, c))) ASSERT_NEAR(y, c, std::fabs(c) * 0x1.01p-10f) << name(d);
}

// Values that vanish beside the smallest scale, or differ by less than it resolves, must not turn into garbage.
TEST(Formats, TinyBlocksStayTiny) {
  for (Dtype d : block_formats())
    for (float size : {1e-5f, 1e-7f, 1e-9f, 1e-30f, 1e-42f}) {
      auto x = normal(512, size);
      for (float y : round_trip(d, x)) ASSERT_LT(std::fabs(y), 4.5f * size + 1e-6f) << name(d) << " " << size;
    }
}

TEST(Formats, NanPacksAsZeroAndInfinityAsTheLargestHalf) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  for (Dtype d : block_formats()) {
    auto bad = normal(512), clean = bad;
    for (size_t i : {0u, 37u, 255u, 300u}) bad[i] = kNan, clean[i] = 0;
    EXPECT_EQ(packed(d, bad), packed(d, clean)) << name(d);
    for (size_t i : {5u, 290u}) bad[i] = kInf, clean[i] = 65504.0f;
    for (size_t i : {6u, 310u}) bad[i] = -kInf, clean[i] = -65504.0f;
    bad[7] = 1e38f, clean[7] = 65504.0f;
    EXPECT_EQ(packed(d, bad), packed(d, clean)) << name(d);
    for (float y : round_trip(d, bad)) ASSERT_TRUE(std::isfinite(y) && std::fabs(y) < 70000.0f) << name(d) << " " << y;
    for (float y : round_trip(d, Floats(256, kNan))) ASSERT_EQ(y, 0.0f);
    for (float y : round_trip(d, Floats(256, -kInf))) ASSERT_NEAR(y, -65504.0f, 70.0f) << name(d);
  }
}

TEST(Formats, PlainOnesKeepNanAndInfinityAndRoundToEven) {
  Floats x = {1.0f,           -0.0f,   std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1.0f + 0x1p-11f,
              1.0f + 0x1p-8f, 65520.0f};
  EXPECT_EQ(std::memcmp(round_trip(Dtype::f32, x).data(), x.data(), x.size() * sizeof(float)), 0);
  auto h = round_trip(Dtype::f16, x), b = round_trip(Dtype::bf16, x);
  for (const auto& y : {h, b}) {
    EXPECT_EQ(y[0], 1.0f);
    EXPECT_TRUE(std::signbit(y[1]));
    EXPECT_EQ(y[2], x[2]);
    EXPECT_TRUE(std::isnan(y[3]));
  }
  EXPECT_EQ(h[4], 1.0f);
  EXPECT_EQ(b[5], 1.0f);
  EXPECT_EQ(h[6], x[2]);
}

// The bytes and floats of 64 blocks of whole numbers times powers of two, folded into one number per format. It is the same with every
// compiler, optimisation and machine (g++ and clang, SSE2 to AVX-512, Arm64); one that changes only when packing is changed on purpose.
TEST(Formats, PackTheSameBytesOnEveryMachine) {
  struct Case {
    Dtype dtype;
    uint64_t hash;
  };
  Floats x(64 * 256);
  for (size_t i = 0; i < x.size(); ++i) {
    uint32_t r = philox(7, 0, i);
    x[i] = std::ldexp(static_cast<float>(static_cast<int>(r & 0xFFFF) + static_cast<int>(r >> 16) - 65536),
                      -static_cast<int>(philox(8, 0, i / 256) % 20));
  }
  for (Case c : {Case{Dtype::q8_0, 0xde617f5f0ab70865}, Case{Dtype::q4_0, 0x90f9d41c081a8521}, Case{Dtype::q4_1, 0x2f8f90558a5c7c4e},
                 Case{Dtype::q5_0, 0xcc73ca9d21dbc030}, Case{Dtype::q5_1, 0x55623a6507a24131}, Case{Dtype::q2_k, 0x031df9ea25290b74},
                 Case{Dtype::q3_k, 0x636f3193d671a5d3}, Case{Dtype::q4_k, 0x2478070237a1e6ab}, Case{Dtype::q5_k, 0xaa16cee6bf1529d2},
                 Case{Dtype::q6_k, 0x29da53aee86706c0}}) {
    auto bytes = packed(c.dtype, x);
    uint64_t hash = 0xCBF29CE484222325u;  // FNV-1a
    for (uint8_t b : bytes) hash = (hash ^ b) * 0x100000001B3u;
    for (float y : unpacked(c.dtype, bytes)) hash = (hash ^ std::bit_cast<uint32_t>(y)) * 0x100000001B3u;
    EXPECT_EQ(hash, c.hash) << name(c.dtype);
  }
}

// Any bytes are a block: levels within int8, floats by the formula, no trap.
TEST(Formats, LevelsAndFloatsAgreeOnRandomBytes) {
  for (Dtype d : block_formats()) {
    const Format& f = format(d);
    EXPECT_EQ(f.dtype, d);
    auto block = static_cast<size_t>(info(d).block), group = static_cast<size_t>(f.group);
    for (uint64_t seed = 0; seed < 50; ++seed) {
      auto bytes = random_bytes(static_cast<size_t>(info(d).block_bytes), seed);
      auto y = unpacked(d, bytes);
      std::vector<int8_t> q(block);
      Floats scale(block / group), min(block / group);
      levels_of(d, bytes.data(), q.data(), scale.data(), min.data());
      for (size_t i = 0; i < block; ++i) {
        float x = scale[i / group] * static_cast<float>(q[i]) - min[i / group];
        ASSERT_TRUE(x == y[i] || (std::isnan(x) && std::isnan(y[i]))) << name(d) << " " << i;
      }
    }
  }
}

// The exact product, formed from integers, against the plain sum of unpacked weights times what the activations stand for. All products
// are exact in double, so only the order of additions differs.
TEST(Formats, DotIsTheProductOfWhatBothSidesStandFor) {
  for (Dtype d : block_formats())
    for (size_t n : {256u, 1024u}) {
      auto bytes = packed(d, normal(n, 0.05f, 11));
      auto w = unpacked(d, bytes);
      QuantisedRow row = quantise_activations(normal(n, 2.0f, 12));
      ActivationRow a = row.view();
      double expected = 0, size = 0;
      for (size_t i = 0; i < n; ++i) {
        double term = double{w[i]} * (double{a.scales[i / 32]} * a.values[i]);
        expected += term;
        size += std::fabs(term);
      }
      EXPECT_NEAR(format(d).dot(bytes.data(), a, static_cast<int64_t>(n)), expected, 1e-13 * size) << name(d);
      EXPECT_GT(size, 1.0);
    }
}

TEST(Formats, DotWithANanActivationIsNan) {
  Floats x(256, 1.0f);
  x[100] = std::numeric_limits<float>::quiet_NaN();
  QuantisedRow row = quantise_activations(x);
  for (Dtype d : block_formats()) EXPECT_TRUE(std::isnan(format(d).dot(packed(d, normal(256)).data(), row.view(), 256))) << name(d);
}

TEST(Formats, QuantisedWeightsTakeQuantisedActivations) {
  for (const auto& d : dtypes()) EXPECT_EQ(default_activation(d.dtype), d.quantised ? ActivationFormat::q8_32 : ActivationFormat::f32) << d.name;
}

}  // namespace
}  // namespace motley
