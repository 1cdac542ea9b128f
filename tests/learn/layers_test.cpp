// Layers and losses, forward and back, against what PyTorch computes in double (tools/make_layer_vectors.py).
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "io/json.h"
#include "ir/text.h"
#include "ops/interpreter.h"
#include "passes/autodiff.h"

namespace motley {
namespace {

RefValue value(const Json& numbers, const Shape& shape) { return {shape, numbers.get<std::vector<double>>(), {}}; }

void expect_near(const std::vector<double>& got, const Json& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  // Attributes and the constants of expansions are floats.
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], expected[i].get<double>(), 1e-6 * (1 + std::fabs(expected[i].get<double>()))) << what << " element " << i;
}

void check_case(const Json& c) {
  const std::string name = c["name"].get<std::string>();
  Op op;
  ASSERT_TRUE(op_from_name(c["op"].get<std::string>(), op)) << name;
  for (const auto& [field, text] : c["fields"].items()) ASSERT_TRUE(parse_field(op, field, text.get<std::string>())) << name << " " << field;

  Graph leaves;
  std::vector<RefValue> values;
  std::vector<Value> in, of;
  Types types;
  auto input = [&](const Type& type, RefValue v) {
    values.push_back(std::move(v));
    return leaves.push({Input{}, {}, {type}, fmt::format("in{}", leaves.nodes.size()), -1});
  };
  for (const auto& i : c["inputs"]) {
    auto shape = i["shape"].get<Shape>();
    types.push_back({i["f32"].get<bool>() ? Dtype::f32 : Dtype::i32, fixed(shape)});
    in.push_back(input(types.back(), value(i["data"], shape)));
  }
  Types out = infer_types(op, types);
  std::vector<Value> weights(out.size());
  for (size_t r = 0; r < c["weights"].size(); ++r)
    if (!c["weights"][r].is_null()) weights[r] = input(out[r], value(c["weights"][r], bind(out[r].shape, {})));

  Builder forward(std::move(leaves));
  auto results = forward.emit_all(op, in);
  Value loss;
  for (size_t r = 0; r < results.size(); ++r) {
    if (!weights[r].valid()) continue;
    Value part = forward.sum(forward.reshape(forward.mul(results[r], weights[r]), {{max_elements(out[r].shape)}}), 0);
    loss = loss.valid() ? forward.add(loss, part) : part;
  }
  forward.output(loss, "loss");
  for (size_t r = 0; r < c["out"].size(); ++r) forward.output(results[r], fmt::format("result {}", r));
  for (size_t i = 0; i < in.size(); ++i)
    if (!c["grads"][i].is_null()) of.push_back(in[i]);
  auto learns = [&](const Node& n) {
    for (Value v : of)
      if (n.name == fmt::format("in{}", v.node)) return true;
    return false;
  };
  Builder b(expand_for_gradient(forward.take(), learns));
  for (Value g : gradients(b, b.graph().outputs[0].value, b.scalar(1), of)) b.output(g, "gradient");

  std::vector<const RefValue*> pointers;
  for (const RefValue& v : values) pointers.push_back(&v);
  auto got = evaluate(b.take(), pointers, {});
  size_t at = 1;
  for (size_t r = 0; r < c["out"].size(); ++r, ++at)
    if (!c["weights"][r].is_null() && c["op"] != "gru" && c["op"] != "lstm")
      expect_near(got[at].data, c["out"][r], fmt::format("{}: result {}", name, r));
  for (size_t i = 0; i < in.size(); ++i)
    if (!c["grads"][i].is_null()) expect_near(got[at++].data, c["grads"][i], fmt::format("{}: gradient to input {}", name, i));
}

TEST(Layers, FollowPyTorchForwardAndBack) {
  const std::string path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/layers.json";
  Json json = parse_json(read_file(path, 1 << 20), path);
  for (const auto& c : json["cases"]) check_case(c);
}

// PyTorch leaves zeros beyond a sequence's end where we hold its last state: the steps before are compared.
TEST(Layers, RecurrencesFollowPyTorchUpToEachLength) {
  const std::string path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/layers.json";
  Json json = parse_json(read_file(path, 1 << 20), path);
  for (const auto& c : json["cases"]) {
    Op op;
    ASSERT_TRUE(op_from_name(c["op"].get<std::string>(), op));
    if (!std::holds_alternative<Gru>(op) && !std::holds_alternative<Lstm>(op)) continue;
    std::vector<RefValue> values;
    std::vector<const RefValue*> in;
    Types types;
    for (const auto& i : c["inputs"]) {
      auto shape = i["shape"].get<Shape>();
      types.push_back({i["f32"].get<bool>() ? Dtype::f32 : Dtype::i32, fixed(shape)});
      values.push_back(value(i["data"], shape));
    }
    for (const RefValue& v : values) in.push_back(&v);
    auto got = evaluate(op, types, in, {})[0];
    for (int64_t s = 0; s < got.shape[0]; ++s)
      for (int64_t t = 0; t < static_cast<int64_t>(values.back().data[static_cast<size_t>(s)]); ++t)
        for (int64_t j = 0; j < got.shape[2]; ++j) {
          auto at = static_cast<size_t>((s * got.shape[1] + t) * got.shape[2] + j);
          EXPECT_NEAR(got.data[at], c["out"][0][at].get<double>(), 1e-12) << c["name"] << " sequence " << s << " step " << t;
        }
  }
}

}  // namespace
}  // namespace motley
