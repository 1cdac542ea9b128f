// --adapter: beside a model, and merged into it.
#include <gtest/gtest.h>

#include "material.h"
#include "program.h"

namespace motley {
namespace {

const std::string kAdapters = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/adapters/";
const std::string kModel = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/models/llama3";

std::string greedy(const std::string& model, const std::vector<std::string>& flags = {}) {
  std::vector<std::string> arguments = {"run", model, "--ids", "[3,17,9]", "-n", "10", "--temp", "0", "--json", "--ignore-eos", "--kv-type", "f32"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  Ran r = run(arguments);
  EXPECT_EQ(r.code, 0) << r.err;
  return r.json()["ids"].dump();
}

TEST(Adapter, BesideTheModelAndMergedSayTheSame) {
  TempFolder folder;
  const std::string adapter = kAdapters + "llama3-lora", with = greedy(kModel, {"--adapter", adapter});
  EXPECT_NE(with, greedy(kModel));
  ASSERT_EQ(run({"convert", kModel, "--adapter", adapter, "-o", folder / "merged", "-q"}).code, 0);
  EXPECT_EQ(greedy(folder / "merged"), with);
  EXPECT_NE(greedy(kModel, {"--adapter", kAdapters + "llama3-prefix"}), with);
}

TEST(Adapter, WhatCannotBeSaysWhy) {
  TempFolder folder;
  Ran r = run({"run", kModel, "--adapter", folder / "none", "--ids", "[1]"});
  EXPECT_EQ(r.code, 3);
  EXPECT_NE(r.err.find("is not an adapter: it has no adapter_config.json"), std::string::npos) << r.err;
  r = run({"run", kModel, "--adapter", kAdapters + "gpt2-lora", "--ids", "[1]"});
  EXPECT_NE(r.code, 0);
  EXPECT_NE(r.err.find("no module of this model is called"), std::string::npos) << r.err;
  r = run({"convert", kModel, "--adapter", kAdapters + "llama3-prefix", "-o", folder / "merged"});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("run it with --adapter"), std::string::npos) << r.err;
  ASSERT_EQ(run({"quantize", kModel, "-t", "q8_0", "-o", folder / "q8.gguf", "-q"}).code, 0);
  r = run({"convert", folder / "q8.gguf", "--adapter", kAdapters + "llama3-lora", "-o", folder / "merged.gguf"});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("whose values are fixed steps"), std::string::npos) << r.err;
  EXPECT_EQ(run({"convert", folder / "q8.gguf", "--adapter", kAdapters + "llama3-lora", "-t", "f16", "-o", folder / "merged.gguf", "-q"}).code, 0);
}

}  // namespace
}  // namespace motley
