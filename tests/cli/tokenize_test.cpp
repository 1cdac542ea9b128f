#include <gtest/gtest.h>

#include "material.h"
#include "program.h"

namespace motley {
namespace {

using Ids = std::vector<int>;

class Tokenize : public testing::Test {
 protected:
  Ran tokenize(const std::string& text, std::vector<std::string> flags = {"--json"}) {
    flags.insert(flags.begin(), {"tokenize", model_});
    return run(flags, {.input = text});
  }
  TempFolder folder_;
  std::string model_ = model_with_tokenizer(folder_);
};

TEST_F(Tokenize, JsonIsAnArrayOfIds) {
  Ran r = tokenize("once the");
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, "[58,35,31]\n");
  EXPECT_EQ(r.err, "");
  EXPECT_EQ(tokenize("").json().get<Ids>(), (Ids{58}));
}

TEST_F(Tokenize, SpecialTokensAreAddedAndReadAsAsked) {
  EXPECT_EQ(tokenize("a, b.", {"--json", "--no-special"}).json().get<Ids>(), (Ids{0, 27, 26, 1, 28}));
  EXPECT_EQ(tokenize("<s>a", {"--json", "--parse-special"}).json().get<Ids>(), (Ids{58, 58, 0}));
  // Without the flag a control token in the text is text: "<" and ">" are in no token here, so "s" and "a" remain.
  EXPECT_EQ(tokenize("<s>a").json().get<Ids>(), (Ids{58, 18, 0}));
  EXPECT_EQ(tokenize("", {"--json", "--no-special"}).json().get<Ids>(), Ids{});
}

TEST_F(Tokenize, TheTokenizersFileAloneWillDo) {
  EXPECT_EQ(run({"tokenize", folder_ / "model/tokenizer.json", "--json"}, {.input = "once"}).json().get<Ids>(), (Ids{58, 35}));
  Ran r = run({"convert", model_, "-o", folder_ / "model.gguf"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(run({"tokenize", folder_ / "model.gguf", "--json"}, {.input = "once the"}).json().get<Ids>(), (Ids{58, 35, 31}));
}

TEST_F(Tokenize, AnyBytesCanComeIn) {
  EXPECT_EQ(tokenize(std::string("a\0b", 3)).json().get<Ids>(), (Ids{58, 0, 1}));
  EXPECT_EQ(tokenize("a\xff\xfe"
                     "b")
                .json()
                .get<Ids>(),
            (Ids{58, 0, 1}));
  EXPECT_EQ(run({"tokenize", model_, "--json", "-f", folder_.write("text", "once")}).json().get<Ids>(), (Ids{58, 35}));
}

TEST_F(Tokenize, TheTableIsDataAndTheSummaryIsNot) {
  Ran r = tokenize("once the", {});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.out, "      58  '<s>'  control\n      35  'once'\n      31  ' the'\n");
  EXPECT_EQ(r.err, "3 tokens for 8 bytes\n");
  EXPECT_EQ(tokenize("once the", {"-q"}).err, "");
}

TEST_F(Tokenize, FoldersWithoutATokenizerAreExitCode3) {
  Ran r = run({"tokenize", tiny_model(), "--json"}, {.input = "a"});
  EXPECT_EQ(r.code, 3);
  EXPECT_NE(r.err.find("has no tokenizer"), std::string::npos) << r.err;
  r = run({"tokenize", folder_.write("tokenizer.json", "{\"model\": 3}"), "--json"}, {.input = "a"});
  EXPECT_EQ(r.code, 3);
  EXPECT_NE(r.err.find("tokenizer.json: model"), std::string::npos) << r.err;
}

TEST_F(Tokenize, DetokenizeGivesTheTextAndNothingElse) {
  Ran r = run({"detokenize", model_}, {.input = "[35, 31]\n"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.out, "once the");
  EXPECT_EQ(run({"detokenize", model_, "--ids", "[58,35,31]"}).out, "<s>once the");
  EXPECT_EQ(run({"detokenize", model_, "--ids", "[58,35,31]", "--skip-special"}).out, "once the");
  EXPECT_EQ(run({"detokenize", model_}, {.input = "[]"}).out, "");
}

TEST_F(Tokenize, WhatIsNoArrayOfIdsIsRefused) {
  EXPECT_EQ(run({"detokenize", model_}, {.input = "[1, 2"}).code, 3);
  EXPECT_EQ(run({"detokenize", model_}, {.input = ""}).code, 3);
  for (const char* text : {"{\"ids\": 3}", "[1, \"a\"]", "[-1]", "[1.5]", "[99999999999]"}) {
    Ran r = run({"detokenize", model_, "--ids", text});
    EXPECT_EQ(r.code, 2) << text << r.err;
    EXPECT_NE(r.err.find("--ids"), std::string::npos) << r.err;
  }
  Ran r = run({"detokenize", model_, "--ids", "[35,1000]"});
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.out, "once");
  EXPECT_NE(r.err.find("id 1000 is beyond"), std::string::npos) << r.err;
}

TEST_F(Tokenize, SharedVocabularies) {
  const std::string llama = shared_data("tokenizers/llama2/tokenizer.model"), gpt2 = shared_data("tokenizers/gpt2"),
                    bert = shared_data("tokenizers/bert-base-uncased/vocab.txt");
  if (llama.empty() || gpt2.empty() || bert.empty()) GTEST_SKIP() << "needs shared/data/tokenizers";
  EXPECT_EQ(run({"tokenize", llama, "--json"}, {.input = "Hello world"}).json().get<Ids>(), (Ids{1, 15043, 3186}));
  EXPECT_EQ(run({"tokenize", gpt2, "--json"}, {.input = "Hello world"}).json().get<Ids>(), (Ids{15496, 995}));
  EXPECT_EQ(run({"tokenize", bert, "--json"}, {.input = "Hello world"}).json().get<Ids>(), (Ids{101, 7592, 2088, 102}));
  EXPECT_EQ(run({"detokenize", llama}, {.input = "[15043,3186]"}).out, "Hello world");
}

}  // namespace
}  // namespace motley
