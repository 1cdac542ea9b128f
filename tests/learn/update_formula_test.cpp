// One formula of an update, however a batch is divided: two linear layers, mean squared error, SGD 0.01, ten epochs over fixed data. Beside it a
// reference in double that shares no code with the rest: two matrices, four loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/cpu/device.h"
#include "base/bits.h"
#include "base/random.h"
#include "control/learning.h"
#include "ops/builder.h"
#include "tiny_model.h"

namespace motley {
namespace {

constexpr int64_t kWidth = 10, kSamples = 40, kBatch = 8, kEpochs = 10;
constexpr double kRate = 0.01;
const std::vector<std::string> kNames = {"first.weight", "first.bias", "second.weight", "second.bias"};

std::vector<float> numbers(const std::string& name, int64_t count, float scale) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back((philox_uniform(4, stream_of(name), static_cast<uint64_t>(i)) - 0.5f) * 2 * scale);
  return values;
}
std::vector<float> first_values(const std::string& name) { return numbers(name, name.ends_with("weight") ? kWidth * kWidth : kWidth, 0.3f); }
const std::vector<float> kX = numbers("x", kSamples*kWidth, 1), kY = numbers("y", kSamples*kWidth, 1);

// ---- the reference

using Theta = std::vector<std::vector<double>>;  // in the order of kNames

Theta reference() {
  Theta theta;
  for (const std::string& name : kNames) {
    const auto values = first_values(name);
    theta.emplace_back(values.begin(), values.end());
  }
  auto &w1 = theta[0], &b1 = theta[1], &w2 = theta[2], &b2 = theta[3];
  auto at = [](int64_t i, int64_t j) { return static_cast<size_t>(i * kWidth + j); };
  auto one = [](int64_t i) { return static_cast<size_t>(i); };
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch)
    for (int64_t batch = 0; batch < kSamples; batch += kBatch) {
      Theta gradient;
      for (const auto& t : theta) gradient.emplace_back(t.size(), 0.0);
      for (int64_t row = batch; row < batch + kBatch; ++row) {
        double h[kWidth], slope[kWidth], back[kWidth] = {};
        for (int64_t i = 0; i < kWidth; ++i) {
          h[i] = b1[one(i)];
          for (int64_t j = 0; j < kWidth; ++j) h[i] += w1[at(i, j)] * static_cast<double>(kX[at(row, j)]);
        }
        for (int64_t i = 0; i < kWidth; ++i) {
          double y = b2[one(i)];
          for (int64_t j = 0; j < kWidth; ++j) y += w2[at(i, j)] * h[j];
          slope[i] = 2 * (y - static_cast<double>(kY[at(row, i)])) / static_cast<double>(kBatch * kWidth);
        }
        for (int64_t i = 0; i < kWidth; ++i) {
          gradient[3][one(i)] += slope[i];
          for (int64_t j = 0; j < kWidth; ++j) gradient[2][at(i, j)] += slope[i] * h[j], back[j] += slope[i] * w2[at(i, j)];
        }
        for (int64_t i = 0; i < kWidth; ++i) {
          gradient[1][one(i)] += back[i];
          for (int64_t j = 0; j < kWidth; ++j) gradient[0][at(i, j)] += back[i] * static_cast<double>(kX[at(row, j)]);
        }
      }
      for (size_t k = 0; k < theta.size(); ++k)
        for (size_t i = 0; i < theta[k].size(); ++i) theta[k][i] -= kRate * gradient[k][i];
    }
  return theta;
}

// ---- the same by the program

Graph objective(int64_t rows) {
  Builder b({.mode = BuildMode::learn, .tokens = rows}, [](const std::string&) { return Type{Dtype::f32, {}}; });
  const Type wide{Dtype::f32, {{rows}, {kWidth}}};
  Value x = b.step_input("x", wide), y = b.step_input("y", wide), counts = b.step_input("counts", {Dtype::f32, {{rows}, {1}}});
  auto linear = [&](Value in, const std::string& name) {
    return b.add(b.matmul(in, b.weight(name + ".weight", {kWidth, kWidth})), b.weight(name + ".bias", {kWidth}));
  };
  auto results = b.emit_all(MeanSquaredError{}, {linear(linear(x, "first"), "second"), y, counts});
  b.output(results[0], "loss");
  b.output(results[1], "weight");
  return b.take();
}

// Rows from .. to of x and y in a micro-batch of `rows`, what is left over counting nothing.
LearningSession::Inputs part(int64_t from, int64_t to, int64_t rows) {
  auto rest = [&](const std::vector<float>& all) {
    std::vector<float> values(all.begin() + from * kWidth, all.begin() + to * kWidth);
    values.resize(static_cast<size_t>(rows * kWidth), 7);  // not zero: it must not matter
    return bits_of(values);
  };
  std::vector<float> counts(static_cast<size_t>(rows), 0);
  std::fill_n(counts.begin(), to - from, 1.0f);
  return {{"x", rest(kX)}, {"y", rest(kY)}, {"counts", bits_of(counts)}};
}

// Each batch in micro-batches that hold so many of its rows.
Theta learned(const std::vector<int64_t>& shares, int threads) {
  const int64_t rows = *std::ranges::max_element(shares);
  auto device = make_cpu_device({.threads = threads, .packed = false});
  LearningPrograms programs =
      compile_learning(objective(rows), {}, device->target(), {.update = {.op = Sgd{}, .decays = {}}, .several = shares.size() > 1});
  LearningSession session(std::move(programs), std::move(device),
                          [](const ProgramState& s) { return Tensor::of(bind(s.type.shape, {}), first_values(s.name)); });
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch)
    for (int64_t batch = 0; batch < kSamples; batch += kBatch) {
      LossSum sum;
      int64_t from = batch;
      for (int64_t share : shares) {
        LossSum one = session.accumulate(part(from, from + share, rows), from == batch);
        sum.loss += one.loss, sum.weight += one.weight;
        from += share;
      }
      EXPECT_EQ(from, batch + kBatch);
      session.update({.rate = kRate, .step = 1, .scale = 1 / sum.weight});
    }
  Theta theta;
  for (const std::string& name : kNames) {
    const Tensor t = session.read(name);
    theta.emplace_back(t.data<float>().begin(), t.data<float>().end());
  }
  return theta;
}

TEST(UpdateFormula, IsTheSameHoweverABatchIsDivided) {
  const Theta expected = reference();
  for (const auto& shares : {std::vector<int64_t>{8}, {4, 4}, {6, 2}, {2, 6}, {5, 2, 1}})
    for (int threads : {1, 2}) {
      const Theta got = learned(shares, threads);
      for (size_t k = 0; k < expected.size(); ++k)
        EXPECT_LE(distance(got[k], expected[k]), 1e-6 * peak(expected[k]))
            << kNames[k] << ", " << shares.size() << " parts, the first of " << shares[0];
    }
}

TEST(UpdateFormula, LearnsSomething) {
  const Theta after = reference();
  for (size_t k = 0; k < after.size(); ++k) {
    const auto before = first_values(kNames[k]);
    EXPECT_GT(distance(after[k], {before.begin(), before.end()}), 1e-2 * peak(after[k])) << kNames[k];
  }
}

// Losses 1, 1, 1 and 5 divided 3 to 1 are 2 on average: neither the mean of the parts' means, 3, nor their sum, 6.
TEST(UpdateFormula, TheMeanOfAnUnevenSplitIsThatOfTheWhole) {
  Builder b({.mode = BuildMode::learn, .tokens = 3}, [](const std::string&) { return Type{Dtype::f32, {}}; });
  const Type rows{Dtype::f32, {{3}, {1}}};
  Value x = b.step_input("x", rows), y = b.step_input("y", rows), counts = b.step_input("counts", rows);
  auto results = b.emit_all(MeanSquaredError{}, {b.matmul(x, b.weight("w", {1, 1})), y, counts});
  b.output(results[0], "loss");
  b.output(results[1], "weight");
  auto device = make_cpu_device({.threads = 2, .packed = false});
  LearningPrograms programs = compile_learning(b.take(), {}, device->target(), {.update = {.op = Sgd{}, .decays = {}}, .several = true});
  LearningSession session(std::move(programs), std::move(device), [](const ProgramState&) { return Tensor::of({1, 1}, {1.0f}); });
  const float far = std::sqrt(5.0f);
  // With w = 1 the errors are x - y: 1, 1, 1 and the root of 5.
  LossSum three = session.accumulate(
      {{"x", bits_of(std::vector<float>{2, 3, 4})}, {"y", bits_of(std::vector<float>{1, 2, 3})}, {"counts", bits_of(std::vector<float>{1, 1, 1})}},
      true);
  LossSum one = session.accumulate(
      {{"x", bits_of(std::vector<float>{far, 9, 9})}, {"y", bits_of(std::vector<float>{0, 1, 1})}, {"counts", bits_of(std::vector<float>{1, 0, 0})}},
      false);
  EXPECT_NEAR((three.loss + one.loss) / (three.weight + one.weight), 2.0, 1e-6);
  session.update({.rate = 0.01, .step = 1, .scale = 1 / (three.weight + one.weight)});
  // d/dw = 2 x (x w - y): 4, 6, 8 and 2 * 5, a mean of 7.
  EXPECT_NEAR(static_cast<double>(session.read("w").data<float>()[0]), 1 - 0.01 * 7, 1e-6);
}

}  // namespace
}  // namespace motley
