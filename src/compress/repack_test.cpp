#include "compress/repack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "base/random.h"
#include "quant/format.h"

namespace motley {
namespace {

Tensor noise(Shape shape) {
  Tensor t = Tensor::zeros(Dtype::f32, std::move(shape));
  for (int64_t i = 0; i < t.size(); ++i) t.mutable_data<float>()[static_cast<size_t>(i)] = philox_normal(1, 2, static_cast<uint64_t>(i));
  return t;
}

TEST(Repack, GivesTheFormatsOwnBytes) {
  Tensor x = noise({37, 256});
  for (Dtype type : {Dtype::f16, Dtype::bf16, Dtype::q8_0, Dtype::q4_0, Dtype::q4_k}) {
    ThreadPool pool({.threads = 2});
    Loss loss;
    Tensor q = repack(x, type, pool, loss);
    std::vector<std::byte> expected(q.size_bytes());
    format(type).pack(x.data<float>().data(), expected.data(), x.size());
    EXPECT_EQ(std::memcmp(q.bytes(), expected.data(), expected.size()), 0) << name(type);
  }
}

TEST(Repack, TheLossIsWhatUnpackingShows) {
  Tensor x = noise({300, 640});
  ThreadPool one({.threads = 1}), three({.threads = 3});
  Loss loss, again;
  Tensor q = repack(x, Dtype::q4_0, one, loss);
  repack(x, Dtype::q4_0, three, again);
  std::vector<float> y(static_cast<size_t>(x.size()));
  format(Dtype::q4_0).unpack(q.bytes(), y.data(), x.size());
  double error2 = 0, value2 = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    const double v = static_cast<double>(x.data<float>()[i]), e = static_cast<double>(y[i]) - v;
    error2 += e * e, value2 += v * v;
  }
  EXPECT_EQ(loss.elements, x.size());
  EXPECT_NEAR(loss.error2, error2, 1e-9 * error2);
  EXPECT_NEAR(loss.rms(), std::sqrt(error2 / static_cast<double>(x.size())), 1e-9);
  EXPECT_NEAR(loss.relative(), std::sqrt(error2 / value2), 1e-9);
  EXPECT_EQ(loss.error2, again.error2);  // to the bit, whatever the threads
  EXPECT_EQ(loss.value2, again.value2);
}

TEST(Repack, WhatANewTypeCannotHoldIsCounted) {
  Tensor x = noise({2, 32});
  x.mutable_data<float>()[3] = 1e6f;
  x.mutable_data<float>()[40] = std::numeric_limits<float>::quiet_NaN();
  ThreadPool pool({.threads = 1});
  Loss f16, bf16;
  repack(x, Dtype::f16, pool, f16);
  repack(x, Dtype::bf16, pool, bf16);
  EXPECT_EQ(f16.overflowed, 1);
  EXPECT_EQ(f16.not_finite, 1);
  EXPECT_EQ(bf16.overflowed, 0);
}

TEST(Repack, TheSameTypeIsTheSameTensor) {
  Tensor x = noise({2, 32});
  ThreadPool pool({.threads = 1});
  Loss loss;
  EXPECT_EQ(repack(x, Dtype::f32, pool, loss).bytes(), x.bytes());
  EXPECT_EQ(loss.elements, 64);
  EXPECT_EQ(loss.error2, 0);
}

}  // namespace
}  // namespace motley
