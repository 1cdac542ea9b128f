// Learning labels from outside: with a part of the data kept back, with texts in other words, and against a moved embedding.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "io/json.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

using testing::HasSubstr;

class LearningLabels : public testing::Test {
 protected:
  void SetUp() override {
    model_ = model_with_tokenizer(folder_);
    constexpr const char *kGood[] = {"fun", "joy"}, *kBad[] = {"sad", "ill"}, *kThing[] = {"day", "end", "town", "tale", "road"};
    std::string table = "text\tlabel\n";
    for (int i = 0; i < 200; ++i)
      table += std::string((i % 2 ? kGood : kBad)[i / 2 % 2]) + " " + kThing[i / 4 % 5] + "\t" + (i % 2 ? "good" : "bad") + "\n";
    data_ = folder_.write("labels.tsv", table);
    config_ = folder_.write("rnn.json", R"({"model_type": "text-rnn", "vocab_size": 64, "embedding_size": 16, "units": 16,
        "id2label": {"0": "bad", "1": "good"}})");
  }
  Ran train(const std::string& output, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"train", "--model",         config_,          "--tokenizer", model_, "--data",  data_, "--label-column",
                                          "label", "--output",        folder_ / output, "--length",    "24",   "--batch", "10",  "--epochs",
                                          "3",     "--learning-rate", "2e-2",           "--threads",   "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  std::vector<double> values(const std::string& output, const char* key) const {
    std::vector<double> out;
    std::ifstream lines(folder_ / (output + "/metrics.jsonl"));
    for (std::string line; std::getline(lines, line);)
      if (Json j = parse_json(line, "metrics"); j.contains(key)) out.push_back(j[key].get<double>());
    return out;
  }
  TempFolder folder_;
  std::string model_, data_, config_;
};

TEST_F(LearningLabels, APartDrawnFromEachClassIsKeptBack) {
  Ran r = train("a", {"--eval-fraction", "0.1"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("20 of 200 samples, drawn by seed 1, of each class its share"));
  const auto accuracy = values("a", "eval_accuracy");
  ASSERT_FALSE(accuracy.empty());
  EXPECT_GT(accuracy.back(), 0.9) << r.err;
}

TEST_F(LearningLabels, AgainstAMovedEmbeddingByEitherMethod) {
  for (const char* kind : {"fgm", "pgd"}) {
    Ran r = train(kind, {"--adversarial", kind, "--adversarial-epsilon", "0.1", "--adversarial-steps", "2"});
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_GT(values(kind, "eval_accuracy").back(), 0.9) << r.err;
  }
  ASSERT_EQ(train("plain", {}).code, 0);
  // Two losses are learned, the second at least as large.
  EXPECT_GT(values("fgm", "loss").front(), 1.99 * values("plain", "loss").front());
  Ran wrong = train("x", {"--adversarial", "fgsm"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("should be none, fgm or pgd, not 'fgsm'"));
  EXPECT_THAT(train("x", {"--adversarial", "fgm", "--adversarial-epsilon", "0"}).err, HasSubstr("epsilon should be above 0"));
}

TEST_F(LearningLabels, TextsInOtherWordsAreLearnedAndNeverEvaluated) {
  const std::string synonyms = folder_.write("words.tsv", "day\tmorning,evening\nsad\tglum\n");
  Ran r = train("a", {"--augment", "deletion=0.1,swap=1,synonyms=" + synonyms, "--augment-command", "tr x y", "--augment-copies", "4",
                      "--eval-fraction", "0.1"});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_THAT(r.err, HasSubstr("each followed by 4 in other words"));
  EXPECT_THAT(r.err, HasSubstr("20 of 200 samples"));
  EXPECT_GT(values("a", "eval_accuracy").back(), 0.9);
  EXPECT_EQ(train("b", {"--augment", "deletion=0.1,swap=1,synonyms=" + synonyms, "--augment-command", "tr x y", "--augment-copies", "4",
                        "--eval-fraction", "0.1", "--threads", "1"})
                .code,
            0);
  EXPECT_EQ(read_file(folder_ / "a/model.safetensors", 1 << 24), read_file(folder_ / "b/model.safetensors", 1 << 24)) << "whatever the threads";
}

TEST_F(LearningLabels, WhatCannotBeSaidInOtherWordsSaysSo) {
  EXPECT_THAT(train("x", {"--augment", "deletion=0.1,shuffle=1"}).err, HasSubstr("there is no 'shuffle'"));
  EXPECT_THAT(train("x", {"--augment", "synonyms=/nowhere"}).err, HasSubstr("/nowhere"));
  Ran failed = train("x", {"--augment-command", "echo no model there >&2; exit 4"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_THAT(failed.err, HasSubstr("ended with code 4: no model there"));
  EXPECT_THAT(train("x", {"--augment-command", "sleep 60", "--augment-timeout", "1"}).err, HasSubstr("did not end within 1 seconds"));
  Ran unlabelled = run(
      {"train", "--model", model_, "--data", folder_.write("t.txt", "a text\n\nanother one\n"), "--output", folder_ / "x", "--augment", "swap=1"});
  EXPECT_EQ(unlabelled.code, 2);
  EXPECT_THAT(unlabelled.err, HasSubstr("only labelled texts"));
}

}  // namespace
}  // namespace motley
