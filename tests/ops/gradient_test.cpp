// Every gradient rule against central differences in double. The list of ops is the exam's list: an op without a case fails, unless it is
// known to have no gradient.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "gradient_case.h"
#include "ir/text.h"
#include "ops/interpreter.h"
#include "passes/autodiff.h"

namespace motley::exam {
namespace {

std::vector<const RefValue*> pointers(const std::vector<RefValue>& values) {
  std::vector<const RefValue*> out;
  for (const RefValue& v : values) out.push_back(&v);
  return out;
}

// The loss is a sum of the results' elements, each with a weight of its own.
double weight(size_t result, size_t i) { return static_cast<double>(philox_normal(5, result, i)); }

double loss_of(const GradientCase& c, const std::vector<RefValue>& values) {
  auto out = evaluate(c.op, c.in, pointers(values), {});
  double loss = 0;
  for (size_t r = 0; r < out.size(); ++r)
    for (size_t i = 0; i < out[r].data.size() && !c.without_gradient.contains(r); ++i) loss += weight(r, i) * out[r].data[i];
  return loss;
}

bool differentiated(const GradientCase& c, size_t input) { return c.in[input].dtype == Dtype::f32 && !c.given.contains(input); }

// What the rules give, by input; empty for one they give nothing for.
std::vector<std::vector<double>> by_rule(const GradientCase& c) {
  Graph graph;
  std::vector<Value> in;
  for (size_t i = 0; i < c.in.size(); ++i) in.push_back(graph.push({Input{}, {}, {c.in[i]}, fmt::format("in{}", i), -1}));
  std::vector<RefValue> values = c.values;
  Types out = infer_types(c.op, c.in);
  std::vector<Value> weights;
  for (size_t r = 0; r < out.size(); ++r) {
    weights.push_back(graph.push({Input{}, {}, {out[r]}, fmt::format("weights{}", r), -1}));
    Shape shape = bind(out[r].shape, {});
    RefValue w{shape, {}, {}};
    for (size_t i = 0; i < static_cast<size_t>(num_elements(shape)); ++i) w.data.push_back(weight(r, i));
    values.push_back(std::move(w));
  }
  Builder forward(std::move(graph));
  auto results = forward.emit_all(c.op, in);
  Value loss;
  for (size_t r = 0; r < results.size(); ++r) {
    if (c.without_gradient.contains(r)) continue;
    Value part = forward.mul(results[r], weights[r]);
    part = forward.sum(forward.reshape(part, {{max_elements(out[r].shape)}}), 0);
    loss = loss.valid() ? forward.add(loss, part) : part;
  }
  forward.output(loss, "loss");
  auto learns = [&](const Node& n) {
    for (size_t i = 0; i < c.in.size(); ++i)
      if (n.name == fmt::format("in{}", i)) return differentiated(c, i);
    return false;
  };
  Builder b(expand_for_gradient(forward.take(), learns));
  std::vector<Value> of;
  for (size_t i = 0; i < c.in.size(); ++i)
    if (differentiated(c, i)) of.push_back(in[i]);
  auto grads = gradients(b, b.graph().outputs[0].value, b.scalar(1), of);
  for (size_t i = 0, at = 0; i < c.in.size(); ++i)
    if (differentiated(c, i) && grads[at++].valid()) b.output(grads[at - 1], fmt::format("{}", i));
  Graph whole = b.take();
  auto got = evaluate(whole, pointers(values), {});
  std::vector<std::vector<double>> by_input(c.in.size());
  for (size_t o = 1; o < whole.outputs.size(); ++o) by_input[static_cast<size_t>(std::stoi(whole.outputs[o].name))] = std::move(got[o].data);
  return by_input;
}

TEST(Gradients, AgreeWithFiniteDifferences) {
  for (const GradientCase& c : gradient_cases()) {
    std::string name(op_name(c.op));
    for (const auto& [field, value] : fields(c.op)) name += fmt::format(" {}={}", field, value);
    auto rule = by_rule(c);
    std::vector<RefValue> values = c.values;
    for (size_t i = 0; i < c.in.size(); ++i) {
      if (!differentiated(c, i)) continue;
      if (!rule[i].empty()) {
        ASSERT_EQ(rule[i].size(), values[i].data.size()) << name;
      }
      for (size_t j = 0; j < values[i].data.size(); ++j) {
        // The difference is off by h^2 / 6 of the third derivative and by the loss's rounding over h; constants in graphs are floats.
        double h = 1e-5, x = values[i].data[j];
        values[i].data[j] = x + h;
        double above = loss_of(c, values);
        values[i].data[j] = x - h;
        double below = loss_of(c, values);
        values[i].data[j] = x;
        double expected = (above - below) / (2 * h), got = rule[i].empty() ? 0 : rule[i][j];
        EXPECT_NEAR(got, expected, 1e-6 * (1 + std::fabs(expected))) << name << ": input " << i << " element " << j;
      }
    }
  }
}

TEST(Gradients, NoOpIsLeftOut) {
  std::set<std::string> asked;
  for (const GradientCase& c : gradient_cases()) asked.emplace(op_name(c.op));
  for (size_t i = 0; i < kNumOps; ++i) {
    Op op;
    std::string name(op_name(i));
    ASSERT_TRUE(op_from_name(name, op));
    const OpDef& d = def(op);
    if (!ops_without_gradient().contains(name)) {
      EXPECT_TRUE(asked.contains(name)) << name << " has no gradient case";
      EXPECT_TRUE(d.gradient || d.expand) << name << " has no gradient rule";
    } else if (d.infer && name != "const" && name != "cast") {
      EXPECT_TRUE(d.no_gradient) << name << " does not say why it has no gradient";
      EXPECT_FALSE(d.gradient) << name;
    }
  }
}

TEST(Gradients, AWrongRuleWouldBeFound) {
  // A rule that is off by a thousandth is far outside the bound.
  GradientCase c = gradient_cases()[0];
  auto rule = by_rule(c);
  std::vector<RefValue> values = c.values;
  values[0].data[0] += 1e-5;
  double above = loss_of(c, values);
  values[0].data[0] -= 2e-5;
  EXPECT_GT(std::fabs(rule[0][0] * 1.001 - (above - loss_of(c, values)) / 2e-5), 1e-6 * (1 + std::fabs(rule[0][0])));
}

// Splitting a batch changes nothing: the sums of losses, weights and gradients of the parts are those of the whole.
TEST(Gradients, OfAPackedBatchAreThoseOfItsParts) {
  CrossEntropy op{0.1f};
  RefValue logits{{5, 4}, {}, {}}, targets{{5}, {3, -100, 0, 2, -100}, {}};
  for (size_t i = 0; i < 20; ++i) logits.data.push_back(weight(9, i));
  auto ask = [&](size_t first, size_t rows) {
    auto part = [&](const RefValue& v, size_t width) {
      RefValue out{
          v.shape,
          {v.data.begin() + static_cast<std::ptrdiff_t>(first * width), v.data.begin() + static_cast<std::ptrdiff_t>((first + rows) * width)},
          {}};
      out.shape[0] = static_cast<int64_t>(rows);
      return out;
    };
    RefValue x = part(logits, 4), y = part(targets, 1);
    const RefValue* in[] = {&x, &y};
    Types types = {{Dtype::f32, fixed(x.shape)}, {Dtype::i32, fixed(y.shape)}};
    return evaluate(op, types, in, {});
  };
  auto whole = ask(0, 5), a = ask(0, 2), b = ask(2, 3);
  EXPECT_NEAR(whole[0].data[0], a[0].data[0] + b[0].data[0], 1e-12);
  EXPECT_EQ(whole[1].data[0], 3);
  EXPECT_EQ(a[1].data[0], 1);
  EXPECT_EQ(b[1].data[0], 2);
}

}  // namespace
}  // namespace motley::exam
