#include "passes/accumulate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/bits.h"
#include "ir/text.h"
#include "ops/interpreter.h"
#include "passes/autodiff.h"
#include "passes/update.h"

namespace motley {
namespace {

using testing::HasSubstr;

// sum((x w' - y)^2), rows of two.
Graph objective(int64_t rows) {
  Builder b(Graph{});
  Value w = b.step_state("w", {Dtype::f32, {{1}, {2}}}), x = b.step_input("x", {Dtype::f32, {{rows}, {2}}}),
        y = b.step_input("y", {Dtype::f32, {{rows}, {1}}}), ones = b.constant({rows, 1}, {1});
  auto results = b.emit_all(MeanSquaredError{}, {b.matmul(x, w), y, ones});
  b.output(results[0], "loss");
  b.output(results[1], "weight");
  return b.take();
}

StateLoader start() {
  return [](const std::string& name) { return name == "w" || name == "average.w" ? Tensor::of({1, 2}, {0.5f, -1}) : Tensor(); };
}

TEST(Accumulate, PutsASumBehindEachGradient) {
  Graph learning = autodiff(objective(1), {});
  std::string first = print(accumulate(learning, true)), more = print(accumulate(learning, false));
  EXPECT_THAT(first, HasSubstr("state : f32[1,2] \"gradient.w\""));
  EXPECT_THAT(first, testing::Not(HasSubstr("output %9 \"grad w\"")));
  EXPECT_THAT(first, testing::ContainsRegex("update %[0-9]+ \"gradient.w\""));
  EXPECT_EQ(std::count(more.begin(), more.end(), '\n'), std::count(first.begin(), first.end(), '\n') + 1) << "one addition more";
}

TEST(Accumulate, SumsOfMicroBatchesAreTheGradientOfTheWhole) {
  const std::vector<float> x = {1, 2, -1, 0.5f, 3, 1}, y = {1, -2, 0.25f};
  auto part = [](const std::vector<float>& all, size_t from, size_t count) { return bits_of(std::span(all).subspan(from, count)); };
  const UpdateOptions sgd{.op = Sgd{}};
  Graph whole = add_updates(autodiff(objective(3), {}), sgd);
  Interpreter expected(whole, start());
  expected.run({}, {{"x", bits_of(x)}, {"y", bits_of(y)}, {"lr", bits_of(0.1f)}, {"scale", bits_of(1.0f / 3)}});

  // Two rows, then one; the states go from one interpreter to the next as they do on a device.
  Graph two = autodiff(objective(2), {}), one = autodiff(objective(1), {});
  Interpreter first(accumulate(two, true), [](const std::string& name) {
    return name == "w" ? Tensor::of({1, 2}, {0.5f, -1}) : Tensor::of({1, 2}, {1e6f, -1e6f});  // what an earlier step left does not matter
  });
  first.run({}, {{"x", part(x, 0, 4)}, {"y", part(y, 0, 2)}});
  auto tensor = [](const RefValue& v) { return Tensor::of(v.shape, {v.data.begin(), v.data.end()}); };
  Interpreter more(accumulate(one, false), [&](const std::string& name) { return name == "w" ? start()("w") : tensor(first.changed("gradient.w")); });
  more.run({}, {{"x", part(x, 4, 2)}, {"y", part(y, 2, 1)}});
  Interpreter close(add_averages(add_updates(accumulated(one), sgd), 0.75),
                    [&](const std::string& name) { return name == "gradient.w" ? tensor(more.changed("gradient.w")) : start()(name); });
  close.run({}, {{"lr", bits_of(0.1f)}, {"scale", bits_of(1.0f / 3)}});
  for (size_t i : {0, 1}) {
    EXPECT_NEAR(close.changed("w").data[i], expected.changed("w").data[i], 1e-6);
    EXPECT_NEAR(close.changed("average.w").data[i], 0.75 * (i ? -1 : 0.5) + 0.25 * expected.changed("w").data[i], 1e-6);
  }
}

TEST(Accumulate, TheOptimizersOwnStatesHaveNoAverage) {
  Graph close = add_averages(add_updates(accumulated(autodiff(objective(1), {})), {.op = Adamw{}}), 0.9);
  std::string text = print(close);
  EXPECT_THAT(text, HasSubstr("\"average.w\""));
  EXPECT_THAT(text, testing::Not(HasSubstr("\"average.optimizer")));
}

}  // namespace
}  // namespace motley
