#include <gtest/gtest.h>

#include "base/file.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

TEST(Show, JsonSaysWhatTheModelIs) {
  TempFolder folder;
  Ran r = run({"show", model_with_tokenizer(folder), "--json", "--tensors"});
  ASSERT_EQ(r.code, 0) << r.err;
  auto json = r.json();
  EXPECT_EQ(json["form"], "hf");
  EXPECT_EQ(json["architecture"], "llama");
  EXPECT_EQ(json["supported"], true);
  EXPECT_EQ(json["config"]["family"], "llama");
  EXPECT_EQ(json["config"]["vocab"], 64);
  EXPECT_EQ(json["tokenizer"]["bos"], 58);
  EXPECT_EQ(json["tokenizer"]["kind"], "byte-level BPE (gpt-2)");
  EXPECT_EQ(json["tokenizer"]["chat_templates"], nlohmann::json::array({"default"}));
  int64_t bytes = 0;
  for (const auto& t : json["tensors"]) bytes += t["bytes"].get<int64_t>();
  EXPECT_EQ(json["weight_bytes"], bytes);
  EXPECT_EQ(json["types"][0]["type"], "F32");
  EXPECT_EQ(json["parameters"], bytes / 4);
  EXPECT_EQ(json["bits_per_weight"], 32);
  // Keys and values of all layers; Q8_0 has 34 bytes for 32 numbers.
  const int64_t elements = json["kv_elements_per_token"], context = json["memory"][0]["context"];
  EXPECT_EQ(elements,
            2 * json["config"]["layers"].get<int64_t>() * json["config"]["kv_heads"].get<int64_t>() * json["config"]["head_dim"].get<int64_t>());
  EXPECT_GE(json["memory"][0]["kv_bytes"].get<int64_t>(), elements * context * 4);
  EXPECT_EQ(json["memory"][0]["kv_bytes"].get<int64_t>(), json["memory"][1]["kv_bytes"].get<int64_t>() * 2);
  EXPECT_EQ(json["memory"][0]["kv_bytes"].get<int64_t>() * 34, json["memory"][2]["kv_bytes"].get<int64_t>() * 128);
  for (const auto& m : json["memory"]) EXPECT_GT(m["total_bytes"].get<int64_t>(), bytes + m["kv_bytes"].get<int64_t>());
}

TEST(Show, TextNamesTheMainThings) {
  TempFolder folder;
  Ran r = run({"show", model_with_tokenizer(folder)});
  EXPECT_EQ(r.code, 0);
  for (const char* expected : {"llama", "layers", "F32", "byte-level BPE", "BOS 58 '<s>'", "default (", "q8_0"})
    EXPECT_NE(r.out.find(expected), std::string::npos) << expected << "\n" << r.out;
  EXPECT_EQ(r.out.find("model.norm.weight"), std::string::npos);
  EXPECT_NE(run({"show", tiny_model(), "--tensors"}).out.find("model.norm.weight"), std::string::npos);
  EXPECT_NE(run({"show", tiny_model()}).out.find("none; it runs with --ids"), std::string::npos);
}

TEST(Show, TypesThatAreConvertedSayIntoWhat) {
  const std::string folder = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/quantised/awq";
  Ran r = run({"show", folder, "--json", "--tensors"});
  ASSERT_EQ(r.code, 0) << r.err;
  auto json = r.json();
  EXPECT_EQ(json["types"][0]["type"], "AWQ-4");
  EXPECT_EQ(json["types"][0]["elements"], 96 * 128);
  EXPECT_EQ(json["types"][0]["kept_as"], "q5_0");
  EXPECT_EQ(json["types"][0]["kept_bytes"], 96 * 128 / 32 * 22);
  EXPECT_EQ(json["tensors"][0]["name"], "w.weight");
  EXPECT_EQ(json["tensors"][0]["bytes"], json["weight_bytes"]);
  EXPECT_EQ(json["supported"], false);  // one matrix is no model
  EXPECT_NE(run({"show", folder}).out.find(", in memory 8.45 KB as q5_0"), std::string::npos);
}

TEST(Show, AConfigurationAloneTellsWhatItsQuantisedWeightsWouldTake) {
  TempFolder folder;
  std::string config = read_file(tiny_model("llama3") + "/config.json", 1 << 20);
  folder.write("plain/config.json", config);
  config.insert(config.find('{') + 1, R"("quantization_config": {"quant_method": "fp8"},)");
  folder.write("fp8/config.json", config);
  auto plain = run({"show", folder / "plain", "--json"}).json(), fp8 = run({"show", folder / "fp8", "--json"}).json();
  EXPECT_EQ(fp8["parameters"], plain["parameters"]);
  // Two layers of 4 matrices of 32 x 32 (half as many rows in two of them) and 3 of 32 x 64, from 4 bytes each to 34 for 32.
  const int64_t linear = 2 * (3 * 32 * 32 + 3 * 32 * 64);
  EXPECT_EQ(fp8["weight_bytes"].get<int64_t>(), plain["weight_bytes"].get<int64_t>() - linear * 4 + linear / 32 * 34);
}

TEST(Show, AConfigurationWithoutWeightsIsEnough) {
  TempFolder folder;
  folder.write("m/config.json", read_file(tiny_model("qwen2.5-tied-bf16") + "/config.json", 1 << 20));
  Ran r = run({"show", folder / "m", "--json"}), with = run({"show", tiny_model("qwen2.5-tied-bf16"), "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.json()["has_weights"], false);
  EXPECT_EQ(r.json()["config"], with.json()["config"]);
  EXPECT_EQ(r.json()["parameters"], with.json()["parameters"]);
  EXPECT_EQ(r.json()["weight_bytes"], with.json()["weight_bytes"]);
  EXPECT_EQ(r.json()["memory"], with.json()["memory"]);
}

TEST(Show, AnUnknownArchitectureStillShowsItsMetadata) {
  TempFolder folder;
  folder.write("m/config.json", R"({"model_type": "qwen9", "answer": 42})");
  folder.write("m/model.safetensors", read_file(tiny_model() + "/model.safetensors", 1 << 20));
  Ran r = run({"show", folder / "m"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("cannot run"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("answer = 42"), std::string::npos) << r.out;
  auto json = run({"show", folder / "m", "--json"}).json();
  EXPECT_EQ(json["supported"], false);
  EXPECT_EQ(json["metadata"]["answer"], 42);
  EXPECT_GT(json["parameters"], 0);
}

TEST(Show, ModelsOfTheHubsCacheGoByName) {
  TempFolder folder;
  const std::string commit = "0123456789abcdef0123456789abcdef01234567", model = "models--someone--tiny";
  folder.write(model + "/refs/main", commit);
  folder.write(model + "/snapshots/" + commit + "/config.json", read_file(tiny_model() + "/config.json", 1 << 20));
  Ran r = run({"show", "someone/tiny", "--json"}, {.variables = {{"HF_HUB_CACHE", folder.path()}}});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.json()["config"]["vocab"], 64);
  r = run({"show", "someone/else"}, {.variables = {{"HF_HUB_CACHE", folder.path()}}});
  EXPECT_EQ(r.code, 3);
  EXPECT_NE(r.err.find(folder.path()), std::string::npos) << r.err;
}

TEST(Show, TheContextCanBeNamed) {
  auto json = run({"show", tiny_model(), "--json", "-c", "64"}).json();
  EXPECT_EQ(json["memory"].size(), 3u);
  EXPECT_EQ(json["memory"][0]["context"], 64);
}

}  // namespace
}  // namespace motley
