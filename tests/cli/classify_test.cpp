// motley embed and motley classify, on tiny models with a vocabulary of forty words.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "material.h"
#include "program.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

std::string encoder(const TempFolder& folder, const std::string& name) {
  fs::copy(fs::path(MOTLEY_SOURCE_DIR "/tests/data/encoders") / name, folder / name, fs::copy_options::recursive);
  std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 5; i < 40; ++i) vocab += "w" + std::to_string(i) + "\n";
  return fs::path(folder.write(name + "/vocab.txt", vocab)).parent_path();
}

TEST(Classify, JsonHasALabelListForEachText) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-classification");
  Ran r = run({"classify", model, "-p", "w7 w8", "-p", "w9", "--json", "-t", "1"});
  ASSERT_EQ(r.code, 0) << r.err;
  const auto json = r.json();
  EXPECT_EQ(json["task"], "classification");
  ASSERT_EQ(json["results"].size(), 2u);
  EXPECT_EQ(json["results"][1]["text"], "w9");
  double sum = 0;
  for (const auto& l : json["results"][0]["labels"]) sum += l["score"].get<double>();
  EXPECT_NEAR(sum, 1, 1e-9);
  // The same texts from a file, one line each, and on standard input.
  const std::string file = folder.write("texts", "w7 w8\nw9\n");
  EXPECT_EQ(run({"classify", model, "-f", file, "--json", "-t", "1"}).json()["results"], json["results"]);
  EXPECT_EQ(run({"classify", model, "--json", "-t", "1"}, {.input = "w7 w8\r\nw9"}).json()["results"], json["results"]);
}

TEST(Classify, APairIsGivenByFlagOrByATab) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-classification");
  const auto by_flag = run({"classify", model, "-p", "w7", "--pair", "w8 w9", "--json", "-t", "1"}).json();
  EXPECT_EQ(by_flag["results"][0]["pair"], "w8 w9");
  EXPECT_EQ(run({"classify", model, "--json", "-t", "1"}, {.input = "w7\tw8 w9\n"}).json()["results"], by_flag["results"]);
  EXPECT_NE(run({"classify", model, "-p", "w7", "--json", "-t", "1"}).json()["results"][0]["labels"], by_flag["results"][0]["labels"]);
}

TEST(Classify, TokensAndAnswersAreShownToo) {
  TempFolder folder;
  auto tokens = run({"classify", encoder(folder, "bert-tokens"), "-p", "w7 w8", "--json", "-t", "1"}).json();
  EXPECT_EQ(tokens["results"][0]["tokens"].size(), 2u);
  auto answer = run({"classify", encoder(folder, "bert-question"), "-p", "w7", "--pair", "w20 w21", "--json", "-t", "1"}).json();
  EXPECT_TRUE(answer["results"][0]["answer"]["text"].is_string());
  Ran text = run({"classify", folder / "bert-tokens", "-p", "w7 w8", "-t", "1"});
  EXPECT_EQ(std::count(text.out.begin(), text.out.end(), '\n'), 2) << text.out;
}

TEST(Classify, ALongTextIsCutAndThatIsSaid) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-classification");
  std::string text;
  for (int i = 0; i < 20; ++i) text += "w7 ";
  Ran r = run({"classify", model, "-p", text, "--top-k", "1", "-t", "1"});
  EXPECT_EQ(r.code, 0);
  EXPECT_NE(r.err.find("1 of 1 texts are longer than the 12 tokens"), std::string::npos) << r.err;
  EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 1) << r.out;
}

TEST(Embed, VectorsAreOfTheModelsSizeAndPooledAsAsked) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-embedding");
  auto json = run({"embed", model, "-p", "w7 w8", "--json", "-t", "1"}).json();
  EXPECT_EQ(json["dimensions"], 16);
  EXPECT_EQ(json["pooling"], "mean");
  EXPECT_EQ(json["normalised"], true);
  EXPECT_EQ(json["embeddings"][0].size(), 16u);
  auto first = run({"embed", model, "-p", "w7 w8", "--json", "--pooling", "first", "-t", "1"}).json();
  EXPECT_NE(first["embeddings"], json["embeddings"]);
  EXPECT_EQ(run({"embed", model, "-p", "w7", "--pooling", "max"}).code, 2);
}

TEST(Classify, WhatAModelIsNotMadeForIsSaid) {
  TempFolder folder;
  Ran r = run({"classify", encoder(folder, "bert-embedding"), "-p", "w7"});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("has no labels"), std::string::npos) << r.err;
  r = run({"run", folder / "bert-embedding", "-p", "w7"});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("does not continue texts"), std::string::npos) << r.err;
  r = run({"classify", tiny_model("llama2"), "--tokenizer", folder / "bert-embedding", "-p", "w7"});
  EXPECT_EQ(r.code, 2);
  EXPECT_NE(r.err.find("continues texts"), std::string::npos) << r.err;
}

}  // namespace
}  // namespace motley
