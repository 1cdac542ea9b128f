// Adapters learn on the models of nn/, beside weights that stay as they are, quantised ones too; on the CPU as in the reference.
#include <gtest/gtest.h>

#include <set>

#include "base/bits.h"
#include "passes/adapt.h"
#include "passes/autodiff.h"
#include "passes/pass.h"
#include "passes/test_target.h"
#include "passes/update.h"
#include "quant/format.h"
#include "tiny_model.h"

namespace motley {
namespace {

// The matrices of the layers in a block format.
ModelSource quantised(const ModelSource& source, Dtype dtype) {
  ModelSource out = source;
  auto packs = [=](const std::string& state, const Type& type) {
    return state.find("layers.") != state.npos && type.rank() == 2 && type.dim(-1).n % info(dtype).block == 0;
  };
  out.types = [=, inner = source.types](const std::string& state) {
    auto type = inner(state);
    if (type && packs(state, *type)) type->dtype = dtype;
    return type;
  };
  out.load = [=](const std::string& state) {
    Tensor t = source.load(state);
    if (!packs(state, {t.dtype(), fixed(t.shape())})) return t;
    Tensor packed = Tensor::zeros(dtype, t.shape());
    format(dtype).pack(t.data<float>().data(), packed.mutable_bytes(), t.size());
    return packed;
  };
  out.read_part = {};
  return out;
}

struct Tuned {
  ModelSource source;
  Adapter adapter;
  Graph graph;  // with its loss
  StateLoader load;
};

// New states with values that matter: a LoRA that begins at zero has no gradient to its A.
Tensor some_start(const std::string& state, const Type& type) {
  Tensor t = adapter_start(state, type, 7);
  if (state.ends_with("lora_B.weight") || state.ends_with("bottleneck_up.weight")) {
    for (size_t i = 0; auto& v : t.mutable_data<float>()) v = 0.1f * static_cast<float>(static_cast<int>(i++ % 7) - 3);
  }
  return t;
}

Tuned tune(ModelSource source, const Adapter& adapter, int64_t tokens = kTokens) {
  Tuned t{std::move(source), adapter, {}, {}};
  t.graph = with_loss(adapt(learning_model(t.source, tokens), adapter, {.learns = true}), tokens);
  std::map<std::string, Type> types;
  for (const Node& n : t.graph.nodes)
    if (std::holds_alternative<State>(n.op) && is_adapter_state(n.name)) types[n.name] = n.out[0];
  t.load = [source = t.source, types](const std::string& name) {
    if (auto it = types.find(name); it != types.end()) return some_start(name, it->second);
    return source.types(name) ? read_state(source, name) : Tensor();
  };
  return t;
}

Graph gradients_of(const Tuned& t) { return autodiff(t.graph, {.learns = adapter_learns(t.adapter, t.graph)}); }

// A packed batch in which every sequence begins with the virtual tokens.
Learner::Inputs with_virtual_tokens(const ModelSource& source, int64_t count, int64_t tokens) {
  Learner::Inputs in;
  for (int64_t t = 0; t < tokens; ++t) {
    const int64_t begin = t < tokens / 2 ? 0 : tokens / 2, position = t - begin;
    const bool made_up = position < count;
    in["tokens"].push_back(static_cast<int32_t>(made_up ? source.config.vocab + position : (7 * t + 3) % source.config.vocab));
    in["targets"].push_back(made_up ? kIgnoreTarget : static_cast<int32_t>((11 * t + 5) % source.config.vocab));
    in["positions"].push_back(static_cast<int32_t>(position));
    in["seq"].push_back(static_cast<int32_t>(begin));
  }
  return in;
}

struct Question {
  const char* name;
  const char* model;
  Adapter adapter;
};

class Adapters : public testing::TestWithParam<Question> {};

TEST_P(Adapters, GradientsOnTheCpuAreThoseOfTheReferenceAndOnlyTheirs) {
  const Question& q = GetParam();
  Tuned t = tune(source_of(q.model), q.adapter);
  Graph graph = gradients_of(t);
  auto in = q.adapter.method == AdapterMethod::prefix ? with_virtual_tokens(t.source, q.adapter.tokens, kTokens) : batch(t.source);
  auto expected = learn_by_reference(graph, t.load)->step(in), got = learn_on_cpu(graph, t.load, 2)->step(in);
  auto learns = adapter_learns(q.adapter, t.graph);
  size_t count = 0;
  for (const auto& [name, value] : expected) {
    EXPECT_LE(distance(value, got[name]), 3e-5 * peak(value) + 1e-9) << name;
    if (!name.starts_with(kGradientOutput)) continue;
    ++count;
    EXPECT_TRUE(learns(name.substr(kGradientOutput.size()))) << name;
    EXPECT_GT(peak(value), 0) << name;
  }
  EXPECT_GT(count, 0u);
}

TEST_P(Adapters, LowerTheLossAndLeaveTheModelAlone) {
  const Question& q = GetParam();
  Tuned t = tune(source_of(q.model), q.adapter);
  Graph graph = add_updates(gradients_of(t), {.op = Adamw{}});
  std::set<std::string> changing;
  for (const auto& u : graph.updates)
    if (!u.name.starts_with("optimizer.")) changing.insert(u.name);
  for (const std::string& name : changing) EXPECT_TRUE(adapter_learns(q.adapter, t.graph)(name)) << name;
  auto learner = learn_on_cpu(graph, t.load, 2);
  double first = 0, last = 0;
  for (int step = 1; step <= 12; ++step) {
    auto in = q.adapter.method == AdapterMethod::prefix ? with_virtual_tokens(t.source, q.adapter.tokens, kTokens) : batch(t.source);
    in["lr"] = bits_of(0.02f), in["step"] = {step}, in["scale"] = bits_of(1.0f / 16);
    last = learner->step(in)["loss"][0];
    if (step == 1) first = last;
  }
  EXPECT_LT(last, first);
}

INSTANTIATE_TEST_SUITE_P(Methods, Adapters,
                         testing::Values(Question{"LoraOfLlama", "llama3", {.targets = {"all-linear"}, .rank = 4}},
                                         Question{"LoraOfGpt2", "gpt2", {.rank = 3, .biases = true}},
                                         Question{"Ia3OfLlama", "llama3", {.method = AdapterMethod::ia3}},
                                         Question{"Ia3OfGpt2", "gpt2", {.method = AdapterMethod::ia3}},
                                         Question{"BottleneckOfNeoX", "gpt-neox", {.method = AdapterMethod::bottleneck, .width = 6}},
                                         Question{"PrefixOfLlama", "llama3", {.method = AdapterMethod::prefix, .tokens = 3}},
                                         Question{"PrefixOfGpt2", "gpt2", {.method = AdapterMethod::prefix, .tokens = 2}},
                                         Question{"BiasesOfGpt2", "gpt2", {.method = AdapterMethod::bias}}),
                         [](const auto& p) { return std::string(p.param.name); });

// QLoRA: the gradient to a LoRA passes through the frozen product's quantised weight, which stays the only copy.
TEST(AdaptersOnAQuantisedBase, LearnThroughIt) {
  const TestTarget any({"*"});
  for (Dtype dtype : {Dtype::q8_0, Dtype::q4_0}) {
    Tuned t = tune(quantised(source_of("llama3"), dtype), {.targets = {"all-linear"}, .rank = 4});
    // The forward product multiplies 8-bit activations, which is part of its meaning; both sides are asked about the same graph.
    Graph graph = quantize(gradients_of(t), {any.get(), {}});
    auto in = batch(t.source);
    auto expected = learn_by_reference(graph, t.load)->step(in);
    for (bool packed : {true, false}) {
      auto got = learn_on_cpu(graph, t.load, 2, packed)->step(in);
      // An activation that lies between two of its steps may round the other way.
      for (const auto& [name, value] : expected)
        EXPECT_LE(distance(value, got[name]), 0.03 * peak(value) + 1e-9) << motley::name(dtype) << " " << name;
    }
  }
}

TEST(AdaptersOnAQuantisedBase, AnAdapterThatIsNewChangesNoLogit) {
  ModelSource source = source_of("llama3");
  Graph plain = learning_model(source, kTokens), tuned = adapt(plain, {.targets = {"all-linear"}, .rank = 4}, {.learns = true});
  std::map<std::string, Type> types;
  for (const Node& n : tuned.nodes)
    if (is_adapter_state(n.name)) types[n.name] = n.out[0];
  auto load = [&](const std::string& name) { return types.contains(name) ? adapter_start(name, types[name], 3) : read_state(source, name); };
  auto in = batch(source);
  EXPECT_EQ(learn_on_cpu(plain, load, 2)->step(in)["logits"], learn_on_cpu(tuned, load, 2)->step(in)["logits"]);
}

}  // namespace
}  // namespace motley
