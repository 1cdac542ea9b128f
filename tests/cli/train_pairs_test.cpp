// Vectors learned from pairs of texts, from outside: the nearest text becomes the right one, and what results is a folder that embeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "io/json.h"
#include "program.h"
#include "training.h"

namespace motley {
namespace {

using testing::HasSubstr;

class Pairs : public testing::Test {
 protected:
  void SetUp() override {
    tokenizer_ = model_with_tokenizer(folder_);
    config_ = folder_.write("bert.json", R"({"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 64, "hidden_size": 32,
        "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 24, "type_vocab_size": 1})");
    std::string pairs = "anchor\tpositive\tnegative\n", scored = "sentence1\tsentence2\tscore\n";
    for (int i = 0; i < 160; ++i) {
      const std::string asked = name(i % 16), other = name(i * 7 % 16 == i % 16 ? (i + 1) % 16 : i * 7 % 16);
      pairs += "where " + asked + "\tthe " + asked + " once\tthe " + other + " once\n";
      scored += "where " + asked + "\tthe " + (i % 2 ? asked : other) + " once\t" + (i % 2 ? "4.5" : "0.5") + "\n";
    }
    data_ = folder_.write("pairs.tsv", pairs);
    scored_ = folder_.write("scored.tsv", scored);
  }
  static std::string name(int i) { return std::string{static_cast<char>('a' + i), static_cast<char>('p' - i), static_cast<char>('a' + 5 * i % 16)}; }
  Ran train(const std::string& output, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train",       "--model",     config_,    "--tokenizer",     tokenizer_, "--data",    data_,
                                          "--objective", "contrastive", "--output", folder_ / output,  "--length", "48",        "--batch",
                                          "8",           "--epochs",    "12",       "--learning-rate", "5e-3",     "--threads", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  TempFolder folder_;
  std::string tokenizer_, config_, data_, scored_;
};

TEST_F(Pairs, WhatBelongsTogetherBecomesNearAndTheFolderEmbeds) {
  Ran r = train("a", {"--eval-data", data_, "--symmetric"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("TSV of anchor and positive and not negative"));
  EXPECT_THAT(r.err, HasSubstr("try: motley embed"));
  const auto accuracy = logged(folder_ / "a", "eval_accuracy"), loss = logged(folder_ / "a", "eval_loss");
  ASSERT_GT(accuracy.size(), 1u);
  EXPECT_GT(accuracy.back(), 0.95) << r.err;
  EXPECT_LT(loss.back(), 0.5 * loss.front());
  for (const char* file : {"modules.json", "1_Pooling/config.json", "sentence_bert_config.json"})
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(folder_ / "a") / file)) << file;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a/programs"));

  Ran said = run({"embed", folder_ / "a", "-p", "where " + name(3), "-p", "the " + name(3) + " once", "-p", "the " + name(4) + " once", "--json"});
  ASSERT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.json()["pooling"], "mean");
  const auto vectors = said.json()["embeddings"].get<std::vector<std::vector<double>>>();
  auto cosine = [&](size_t a, size_t b) {
    double product = 0, left = 0, right = 0;
    for (size_t i = 0; i < vectors[a].size(); ++i)
      product += vectors[a][i] * vectors[b][i], left += vectors[a][i] * vectors[a][i], right += vectors[b][i] * vectors[b][i];
    return product / std::sqrt(left * right);
  };
  EXPECT_GT(cosine(0, 1), cosine(0, 2) + 0.1);

  Ran measured = run({"eval", folder_ / "a", "--data", scored_, "--json", "--min-spearman", "0.8"});
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_GT(measured.json()["spearman"].get<double>(), 0.8);
  EXPECT_EQ(measured.json()["samples"], 160);
  EXPECT_EQ(run({"eval", folder_ / "a", "--data", scored_, "--min-spearman", "0.999"}).code, 7);

  // What was learned goes on learning, and beside it a LoRA does.
  Ran on = run({"finetune", folder_ / "a", "--data", data_, "--objective", "contrastive", "--lora", "--output", folder_ / "b", "--length", "48",
                "--steps", "2"});
  ASSERT_EQ(on.code, 0) << on.err;
  EXPECT_EQ(run({"embed", folder_ / "a", "--adapter", folder_ / "b", "-p", "where"}).code, 0);
}

TEST_F(Pairs, AStepIsNeverCut) {
  Ran cut = train("x", {"--micro-batch", "4"});
  EXPECT_EQ(cut.code, 2);
  EXPECT_THAT(cut.err, HasSubstr("samples are compared with all others of their step"));
  Ran narrow = train("x", {"--memory", "1KiB"});
  EXPECT_EQ(narrow.code, 4);
  EXPECT_THAT(narrow.err, HasSubstr("use a smaller --batch, which is not cut"));
}

TEST_F(Pairs, WhatIsNoPairIsSaid) {
  EXPECT_THAT(train("x", {"--label-column", "negative"}).err, HasSubstr("learns from no labels"));
  EXPECT_THAT(train("x", {"--temperature", "0"}).err, HasSubstr("--temperature should be above 0"));
  EXPECT_THAT(train("x", {"--length", "8"}).err, HasSubstr("no room for two texts"));
  EXPECT_THAT(train("x", {"--pair-column", "other"}).err, HasSubstr("there is no column 'other'"));
  const std::string single = folder_.write("single.tsv", "anchor\tremark\nwhere\twhy\nonce\twhy\n");
  Ran alone = train("x", {"--data", single});
  EXPECT_EQ(alone.code, 2);
  EXPECT_THAT(alone.err, HasSubstr("pairs need a column for each of two texts"));
  const std::string holes = folder_.write("holes.jsonl", "{\"query\": \"where\", \"answer\": \"there\"}\n{\"query\": \"when\"}\n");
  Ran missing = train("x", {"--data", holes});
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.err, HasSubstr("line 2: 'answer' is empty or missing"));
  Ran usual = run({"train", "--model", config_, "--tokenizer", tokenizer_, "--data", data_, "--output", folder_ / "x"});
  EXPECT_EQ(usual.code, 2);
  EXPECT_THAT(usual.err, HasSubstr("is made for 'embedding': say what it is to learn"));
  Ran other = run({"train", "--model", tokenizer_, "--data", data_, "--output", folder_ / "x", "--symmetric"});
  EXPECT_THAT(other.err, HasSubstr("--symmetric belongs to --objective contrastive"));
  EXPECT_THAT(train("x", {"--objective", "contrastiv"}).err, HasSubstr("did you mean 'contrastive'?"));
}

}  // namespace
}  // namespace motley
