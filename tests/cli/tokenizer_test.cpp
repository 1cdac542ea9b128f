#include <gtest/gtest.h>

#include "material.h"
#include "program.h"

namespace motley {
namespace {

using Ids = std::vector<int>;

TEST(TokenizerTrain, WritesAFolderThatTheOtherCommandsRead) {
  TempFolder folder;
  std::string text;
  for (int i = 0; i < 50; ++i) text += "the cat sat on the mat<|endoftext|>";
  const std::string data = folder.write("text.txt", text);
  Ran r = run({"tokenizer", "train", "--data", data, "--vocab", "269", "--out", folder / "out"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("269 tokens from 50 documents, plain text, documents between <|endoftext|>"), std::string::npos) << r.out;
  EXPECT_EQ(run({"detokenize", folder / "out"}, {.input = run({"tokenize", folder / "out", "--json"}, {.input = "the mat, again"}).out}).out,
            "the mat, again");
  EXPECT_EQ(run({"tokenize", folder / "out", "--json", "--parse-special"}, {.input = "<|endoftext|>"}).json().get<Ids>(), Ids{0});
  EXPECT_LE(run({"tokenize", folder / "out/tokenizer.json", "--json"}, {.input = "the cat sat"}).json().size(), 4u);
  // The same text gives the same file.
  ASSERT_EQ(run({"tokenizer", "train", "--data", data, "--vocab", "269", "--out", folder / "again", "-q"}).out, "");
  EXPECT_EQ(run({"tokenize", folder / "again", "--json"}, {.input = text}).out, run({"tokenize", folder / "out", "--json"}, {.input = text}).out);
}

TEST(TokenizerTrain, SaysWhatItDidAsJson) {
  TempFolder folder;
  Ran r = run(
      {"tokenizer", "train", "--data", folder.write("a.jsonl", "{\"text\": \"ab ab ab\"}\n"), "--vocab", "300", "--out", folder / "out", "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.json()["bytes"], 8);
  EXPECT_EQ(r.json()["words"], 2);
  EXPECT_NE(r.err.find("not 300: no other pair"), std::string::npos) << r.err;
}

TEST(TokenizerTrain, MistakesAreSentences) {
  TempFolder folder;
  EXPECT_EQ(run({"tokenizer", "learn"}).code, 2);
  EXPECT_EQ(run({"tokenizer", "train"}).code, 2);
  Ran missing = run({"tokenizer", "train", "--data", folder / "nowhere.txt"});
  EXPECT_EQ(missing.code, 3);
  EXPECT_NE(missing.err.find("nowhere.txt"), std::string::npos);
  EXPECT_EQ(run({"tokenizer", "train", "--data", folder.write("a.txt", "text"), "--vocab", "12"}).code, 2);
  EXPECT_EQ(run({"tokenizer", "train", "--data", folder.write("a.txt", "text"), "--vocab", "many"}).code, 2);
}

}  // namespace
}  // namespace motley
