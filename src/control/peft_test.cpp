#include "control/peft.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors_writer.h"
#include "motley/error.h"
#include "nn/families.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("motley-peft-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
};

ModelSource tiny(const std::string& name) {
  auto path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/models/" + name;
  return model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(path)));
}

Graph learning_model(const ModelSource& source) {
  Builder b({.mode = BuildMode::learn, .tokens = 8}, source.types, source.name);
  build_model(b, source.config);
  return b.take();
}

// Values of a state that no start has, the model's own too.
Tensor value_of(const Graph& graph, const std::string& state) {
  for (const Node& n : graph.nodes)
    if (std::holds_alternative<State>(n.op) && n.name == state) {
      Tensor t = Tensor::zeros(Dtype::f32, bind(n.out[0].shape, {}));
      for (size_t i = 0; auto& v : t.mutable_data<float>()) v = 0.125f * static_cast<float>(static_cast<int>(i++ % 11) - 5) + 1;
      return t;
    }
  return {};
}

class RoundTrip : public testing::TestWithParam<Adapter> {};

TEST_P(RoundTrip, WhatIsWrittenIsReadAndFitsTheModel) {
  Folder folder;
  ModelSource source = tiny("gpt2");
  Graph graph = adapt(learning_model(source), GetParam());
  write_peft(folder.path, graph, GetParam(), {.base_model = "gpt2", .input_first = true, .config = &source.config},
             [&](const std::string& state) { return value_of(graph, state); });
  auto adapter = std::make_shared<const PeftAdapter>(read_peft(folder.path));
  EXPECT_EQ(adapter->base_model, "gpt2");
  EXPECT_EQ(adapter->adapter.method, GetParam().method);
  auto learns = adapter_learns(GetParam(), graph);
  size_t learning = 0;
  for (const Node& n : graph.nodes) {
    if (!std::holds_alternative<State>(n.op) || !learns(n.name)) continue;
    ++learning;
    ASSERT_TRUE(adapter->states.contains(n.name)) << n.name;
    Tensor expected = value_of(graph, n.name);
    EXPECT_TRUE(std::ranges::equal(adapter->states.at(n.name).data<float>(), expected.data<float>())) << n.name;
  }
  EXPECT_EQ(adapter->states.size(), learning);
  ModelSource with = adapted(source, adapter);
  Graph again = with.rewrite(learning_model(with));
  for (const Node& n : again.nodes)
    if (std::holds_alternative<State>(n.op) && adapter->states.contains(n.name)) {
      EXPECT_EQ(with.load(n.name).size(), max_elements(n.out[0].shape));
    }
}

INSTANTIATE_TEST_SUITE_P(Methods, RoundTrip,
                         testing::Values(Adapter{.targets = {"all-linear"}, .rank = 4, .alpha = 6.5, .ranks = {{"mlp.c_fc", 2}}},
                                         Adapter{.rank = 2, .rank_stabilised = true, .biases = true, .saved_modules = {"transformer.ln_f"}},
                                         Adapter{.method = AdapterMethod::ia3}, Adapter{.method = AdapterMethod::prefix, .tokens = 3},
                                         Adapter{.method = AdapterMethod::bottleneck, .width = 5, .activation = Activation::gelu},
                                         Adapter{.method = AdapterMethod::bias}),
                         [](const auto& p) { return "Method" + std::to_string(p.index); });

TEST(Peft, KeysAreThoseOfThePackage) {
  Folder folder;
  ModelSource source = tiny("gpt2");
  Adapter lora{.rank = 2, .biases = true};
  Graph graph = adapt(learning_model(source), lora);
  write_peft(folder.path, graph, lora, {.input_first = true}, [&](const std::string& state) { return value_of(graph, state); });
  SafetensorsFile file = SafetensorsFile::open(folder.path / "adapter_model.safetensors");
  for (const char* name : {"base_model.model.transformer.h.0.attn.c_attn.lora_A.weight",
                           "base_model.model.transformer.h.0.attn.c_attn.base_layer.bias", "base_model.model.transformer.h.1.ln_1.bias"})
    EXPECT_TRUE(file.find_tensor(name)) << name;
  std::string path = folder.path / "adapter_config.json";
  Json config = parse_json(read_file(path, 1 << 20), path);
  EXPECT_EQ(config["peft_type"], "LORA");
  EXPECT_EQ(config["fan_in_fan_out"], true);
  EXPECT_EQ(config["lora_alpha"], 8);
  EXPECT_EQ(config["bias"], "all");
  EXPECT_EQ(config["target_modules"][0], "transformer.h.0.attn.c_attn");
}

TEST(Peft, MergingIsWhatThePathBesideComputes) {
  PeftAdapter a{.path = "lora", .adapter = {.targets = {"model.layers.0.self_attn.o_proj"}, .rank = 1, .alpha = 2}, .base_model = {}, .states = {}};
  const std::string module = "base_model.model.model.layers.0.self_attn.o_proj";
  a.states[module + ".lora_A.weight"] = Tensor::of({1, 3}, {1, 2, 3});
  a.states[module + ".lora_B.weight"] = Tensor::of({2, 1}, {10, 100});
  ModelConfig config = tiny("llama3").config;
  const std::string weight = "model.layers.0.self_attn.o_proj.weight";
  EXPECT_TRUE(merges(a, weight));
  EXPECT_FALSE(merges(a, "model.layers.0.self_attn.q_proj.weight"));
  EXPECT_FALSE(merges(a, "model.layers.0.self_attn.o_proj.bias"));
  Tensor merged = merged_weight(a, config, weight, Tensor::of({2, 3}, {1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(std::vector<float>(merged.data<float>().begin(), merged.data<float>().end()), (std::vector<float>{21, 41, 61, 201, 401, 601}));
  config.input_first = true;
  merged = merged_weight(a, config, weight, Tensor::of({3, 2}, {1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(std::vector<float>(merged.data<float>().begin(), merged.data<float>().end()), (std::vector<float>{21, 201, 41, 401, 61, 601}));
  EXPECT_THROW(merged_weight(a, config, weight, Tensor::of({2, 2}, {1, 1, 1, 1})), Error);
}

TEST(Peft, Ia3MergesIntoWeightAndBias) {
  PeftAdapter a{.path = "ia3", .adapter = {.method = AdapterMethod::ia3}, .base_model = {}, .states = {}};
  a.states["base_model.model.m.k_proj.ia3_l"] = Tensor::of({2, 1}, {2, 3});
  a.states["base_model.model.m.down_proj.ia3_l"] = Tensor::of({1, 2}, {2, 3});
  ModelConfig config = tiny("llama3").config;
  auto merged = [&](const char* state, const Tensor& t) {
    Tensor out = merged_weight(a, config, state, t);
    return std::vector<float>(out.data<float>().begin(), out.data<float>().end());
  };
  EXPECT_EQ(merged("m.k_proj.weight", Tensor::of({2, 2}, {1, 2, 3, 4})), (std::vector<float>{2, 4, 9, 12}));
  EXPECT_EQ(merged("m.k_proj.bias", Tensor::of({2}, {1, 2})), (std::vector<float>{2, 6}));
  EXPECT_EQ(merged("m.down_proj.weight", Tensor::of({2, 2}, {1, 2, 3, 4})), (std::vector<float>{2, 6, 6, 12}));
  EXPECT_EQ(merged("m.down_proj.bias", Tensor::of({2}, {1, 2})), (std::vector<float>{1, 2}));
}

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

TEST(Peft, WhatDoesNotFitSaysWhy) {
  Folder folder;
  const std::string path = folder.path;
  EXPECT_EQ(message_of([&] { read_peft(path); }), "[adapter] " + path + " is not an adapter: it has no adapter_config.json");
  std::ofstream(folder.path / "adapter_config.json") << R"({"peft_type": "LORA", "use_dora": true})";
  std::ofstream(folder.path / "adapter_model.bin") << "pickle";
  EXPECT_NE(message_of([&] { read_peft(path); }).find("is a pickle, which may run code"), std::string::npos);
  SafetensorsWriter out(folder.path / "adapter_model.safetensors");
  out.declare("base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight", Dtype::f32, {1, 1});
  out.declare("base_model.model.model.layers.9.self_attn.q_proj.lora_B.weight", Dtype::f32, {1, 1});
  float one = 1;
  for (const char* which : {"A", "B"})
    out.write(std::string("base_model.model.model.layers.9.self_attn.q_proj.lora_") + which + ".weight", std::as_bytes(std::span(&one, 1)));
  out.commit();
  EXPECT_NE(message_of([&] { read_peft(path); }).find("'use_dora' is not supported; train the adapter with use_dora=False"), std::string::npos);
  std::ofstream(folder.path / "adapter_config.json") << R"({"peft_type": "LORA"})";
  auto adapter = std::make_shared<const PeftAdapter>(read_peft(path));
  ModelSource source = tiny("llama3");
  EXPECT_NE(message_of([&] { adapted(source, adapter).rewrite(learning_model(source)); }).find("no module of this model is called"),
            std::string::npos);
  EXPECT_NE(
      message_of([&] { expect_mergeable(AdapterMethod::prefix, path); }).find("is a prefix: keys and values that no weight of the model can take in"),
      std::string::npos);
}

}  // namespace
}  // namespace motley
