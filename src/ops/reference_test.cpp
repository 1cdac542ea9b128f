// Known answers for the reference itself: everything else is compared with it, so it is compared with arithmetic done by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/text.h"
#include "motley/error.h"
#include "ops/builder.h"
#include "ops/interpreter.h"
#include "ops/verify.h"

namespace motley {
namespace {

RefValue value(Shape shape, std::vector<double> data) { return {std::move(shape), std::move(data), {}}; }

std::vector<double> run(const Op& op, const Types& types, const std::vector<RefValue>& in, const Sizes& sizes = {}) {
  std::vector<const RefValue*> pointers;
  for (const RefValue& v : in) pointers.push_back(&v);
  return evaluate(op, types, pointers, sizes)[0].data;
}

void expect_near(const std::vector<double>& got, const std::vector<double>& wanted, double bound = 1e-6) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], wanted[i], bound) << "element " << i;
}

// Q = K = identity, V = ((1,2),(3,4)), d = 2: weights (0.669762, 0.330238). Two queries at position 1 of a cache that holds both keys.
TEST(Reference, AttentionOfTwoKeys) {
  Types types = {{Dtype::f32, {{2, Sym::T}, {1}, {2}}}, {Dtype::f32, {{1}, {1}, {4}, {2}}}, {Dtype::f32, {{1}, {1}, {4}, {2}}},
                 {Dtype::i32, {{2, Sym::T}}},           {Dtype::i32, {{2, Sym::T}}},        {Dtype::i32, {{2, Sym::S}, {1}}}};
  double garbage = 1e9;  // of slots nobody may read
  std::vector<RefValue> in = {value({2, 1, 2}, {1, 0, 0, 1}),
                              value({1, 1, 4, 2}, {1, 0, 0, 1, garbage, garbage, garbage, garbage}),
                              value({1, 1, 4, 2}, {1, 2, 3, 4, garbage, garbage, garbage, garbage}),
                              value({2}, {1, 1}),
                              value({2}, {0, 1}),
                              value({2, 1}, {0, 0})};
  PagedAttention op{.scale = 1 / std::sqrt(2.0f)};
  expect_near(run(op, types, in, {.T = 2, .S = 2, .R = 1}), {1.660477, 2.660477, 2.339523, 3.339523});
  op.window = 1;  // only itself
  expect_near(run(op, types, in, {.T = 2, .S = 2, .R = 1}), {3, 4, 3, 4});
}

TEST(Reference, AttentionStaysFiniteForLargeScores) {
  Types types = {{Dtype::f32, {{1, Sym::T}, {1}, {1}}}, {Dtype::f32, {{1}, {1}, {2}, {1}}}, {Dtype::f32, {{1}, {1}, {2}, {1}}},
                 {Dtype::i32, {{1, Sym::T}}},           {Dtype::i32, {{1, Sym::T}}},        {Dtype::i32, {{1, Sym::S}, {1}}}};
  std::vector<RefValue> in = {value({1, 1, 1}, {1e4}), value({1, 1, 2, 1}, {1, -1}), value({1, 1, 2, 1}, {5, 7}), value({1}, {1}), value({1}, {0}),
                              value({1, 1}, {0})};
  expect_near(run(PagedAttention{}, types, in), {5});
}

TEST(Reference, SoftmaxOfAMaskedRowIsZero) {
  double inf = std::numeric_limits<double>::infinity();
  expect_near(run(Softmax{}, {{Dtype::f32, {{2}, {2}}}}, {value({2, 2}, {-inf, -inf, 0, std::log(3.0)})}), {0, 0, 0.25, 0.75});
}

TEST(Reference, RopeTurnsPairs) {
  Types types = {{Dtype::f32, {{1, Sym::T}, {1}, {4}}}, {Dtype::i32, {{1, Sym::T}}}, {Dtype::f32, {{1}}}};
  std::vector<RefValue> in = {value({1, 1, 4}, {1, 0, 2, 3}), value({1}, {1}), value({1}, {std::acos(-1.0) / 2})};  // a quarter turn
  expect_near(run(Rope{RopePairing::half, 2, 1}, types, in), {0, 1, 2, 3});
  in[0].data = {1, 2, 3, 4};
  Types four = types;
  four[2] = {Dtype::f32, {{2}}};
  in[2] = value({2}, {std::acos(-1.0) / 2, 0});
  expect_near(run(Rope{RopePairing::half, 4, 1}, four, in), {-3, 2, 1, 4});
  expect_near(run(Rope{RopePairing::interleaved, 4, 1}, four, in), {-2, 1, 3, 4});
}

TEST(Reference, NormsAndActivations) {
  Types two = {{Dtype::f32, {{2}}}, {Dtype::f32, {{2}}}};
  double rms = std::sqrt(12.5);
  expect_near(run(RmsNorm{0, 0}, two, {value({2}, {3, 4}), value({2}, {1, 2})}), {3 / rms, 8 / rms});
  expect_near(run(RmsNorm{0, 1}, two, {value({2}, {3, 4}), value({2}, {0, 1})}), {3 / rms, 8 / rms});
  Types three = {two[0], two[0], two[0]};
  expect_near(run(LayerNorm{0}, three, {value({2}, {3, 5}), value({2}, {1, 2}), value({2}, {10, 20})}), {9, 22});
  Types one = {{Dtype::f32, {{3}}}};
  expect_near(run(Act{Activation::silu}, one, {value({3}, {0, 1, -1})}), {0, 0.731058579, -0.268941421});
  expect_near(run(Act{Activation::gelu}, one, {value({3}, {0, 1, -1})}), {0, 0.841344746, -0.158655254});
  expect_near(run(Act{Activation::gelu_tanh}, one, {value({3}, {0, 1, -1})}), {0, 0.841191991, -0.158808009});
  expect_near(run(Softcap{30}, one, {value({3}, {0, 1e6, -30})}), {0, 30, -30 * std::tanh(1.0)}, 1e-5);
}

// The same two keys in a packed batch, their values of another size than they; then scores of ten thousand, and padding, which sees nothing.
TEST(Reference, AttentionWithinASequence) {
  const Dims rows = {{3}, {1}, {2}};
  Types types = {{Dtype::f32, rows}, {Dtype::f32, rows}, {Dtype::f32, {{3}, {1}, {3}}}, {Dtype::i32, {{3}}}, {Dtype::i32, {{3}}}};
  std::vector<RefValue> in = {value({3, 1, 2}, {1, 0, 0, 1, 1, 1}), value({3, 1, 2}, {1, 0, 0, 1, 1, 1}),
                              value({3, 1, 3}, {1, 2, 5, 3, 4, 5, 9, 9, 9}), value({3}, {0, 1, 0}), value({3}, {0, 0, -1})};
  Attention op{.scale = 1 / std::sqrt(2.0f), .causal = false};
  expect_near(run(op, types, in), {1.660477, 2.660477, 5, 2.339523, 3.339523, 5, 0, 0, 0});
  op.scale = 1e4f;
  expect_near(run(op, types, in), {1, 2, 5, 3, 4, 5, 0, 0, 0});
  op.scale = -1e4f;
  expect_near(run(op, types, in), {3, 4, 5, 1, 2, 5, 0, 0, 0});
}

// One logit is two classes, the other at zero.
TEST(Reference, BinaryCrossEntropyIsThatOfTwoClassesAndStaysFinite) {
  const Type one{Dtype::f32, {{1}, {1}}};
  auto loss = [&](double logit, double label) {
    return run(BinaryCrossEntropy{}, {one, one, one}, {value({1, 1}, {logit}), value({1, 1}, {label}), value({1, 1}, {1})})[0];
  };
  EXPECT_NEAR(loss(0, 1), 0.693147, 1e-6);
  EXPECT_NEAR(loss(100, 0), 100, 1e-6);
  EXPECT_NEAR(loss(-100, 0), 0, 1e-6);
  const Types two = {{Dtype::f32, {{1}, {2}}}, {Dtype::i32, {{1}}}};
  EXPECT_NEAR(loss(1.5, 1), run(CrossEntropy{}, two, {value({1, 2}, {0, 1.5}), value({1}, {1})})[0], 1e-9);
  EXPECT_NEAR(loss(1.5, 0), run(CrossEntropy{}, two, {value({1, 2}, {0, 1.5}), value({1}, {0})})[0], 1e-9);
}

// A convolution of one channel, w 2 and c 0.1, is y = 4.285671 x - 0.628567 with this batch norm behind it.
TEST(Reference, AConvolutionUnderAFixedBatchNormIsALine) {
  const Type x{Dtype::f32, {{1}, {1}, {1}}}, one{Dtype::f32, {{1}}};
  const double y = run(Conv1d{}, {x, x}, {value({1, 1, 1}, {0.7}), value({1, 1, 1}, {2})})[0];
  expect_near(run(BatchNormFixed{1e-5f}, {x, one, one, one, one},
                  {value({1, 1, 1}, {y + 0.1}), value({1}, {1.5}), value({1}, {-0.2}), value({1}, {0.3}), value({1}, {0.49})}),
              {2.371402});
}

TEST(Reference, TopKPrefersTheLowerIndexAmongEquals) {
  std::vector<RefValue> x = {value({1, 4}, {2, 7, 7, 1})};
  const RefValue* in[] = {&x[0]};
  Type type{Dtype::f32, {{1}, {4}}};
  auto out = evaluate(TopK{3}, std::span(&type, 1), in, {});
  expect_near(out[0].data, {7, 7, 2});
  expect_near(out[1].data, {1, 2, 0});
}

TEST(Reference, ExpertsMeetTheirOwnRows) {
  Types types = {{Dtype::f32, {{2, Sym::T}, {2}}}, {Dtype::f32, {{3}, {1}, {2}}}, {Dtype::i32, {{2, Sym::T}, {2}}}};
  std::vector<RefValue> in = {value({2, 2}, {1, 2, 3, 4}), value({3, 1, 2}, {1, 0, 0, 1, 1, 1}), value({2, 2}, {0, 2, 1, 1})};
  expect_near(run(ExpertMatmul{}, types, in, {.T = 2, .S = 1, .R = 1}), {1, 3, 4, 4});
}

TEST(Builder, AShapeErrorAppearsOnTheLineThatCausedIt) {
  Builder b(BuildLimits{});
  Value x = b.constant({2, 3}, std::vector<float>(6)), w = b.constant({4, 5}, std::vector<float>(20));
  try {
    b.matmul(x, w);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "[matmul] cannot multiply f32[2,3] by weight f32[4,5] transposed");
  }
  EXPECT_THROW(b.add(x, b.constant({2}, {1, 2})), Error);
  EXPECT_THROW(b.slice(x, 1, 2, 2), Error);
  EXPECT_THROW(b.reshape(x, fixed({7})), Error);
  EXPECT_THROW(b.weight("x"), Error);
}

TEST(Verify, AStateIsChangedOnce) {
  constexpr const char* kTwice = R"(graph
%0 = state : f32[2,1,4,8] "a"
%1 = input : f32[T<=4,1,8] "rows"
%2 = input : i32[T<=4] "slots"
%3 = cache_append(%0, %1, %2) : f32[2,1,4,8] "first"
%4 = cache_append(%0, %1, %2) : f32[2,1,4,8] "second"
update %4 "a"
)";
  EXPECT_THROW(verify(parse_graph(kTwice)), Error);
  EXPECT_THROW(verify(parse_graph("graph\n%0 = input : f32[2] \"x\"\n%1 = exp(%0) : f32[3] \"y\"\noutput %1 \"y\"\n")), Error);
}

}  // namespace
}  // namespace motley
