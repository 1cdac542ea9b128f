// motley eval on data with the right answers beside them, on tiny models with a vocabulary of forty words; and ensembles, which say what the mean of
// their logits says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

std::string encoder(const TempFolder& folder, const std::string& name) {
  fs::copy(fs::path(MOTLEY_SOURCE_DIR "/tests/data/encoders") / name, folder / name, fs::copy_options::recursive);
  std::string vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 5; i < 40; ++i) vocab += "w" + std::to_string(i) + "\n";
  return fs::path(folder.write(name + "/vocab.txt", vocab)).parent_path();
}

std::string sentence(int i) { return "w" + std::to_string(5 + i * 7 % 35) + " w" + std::to_string(5 + i * 11 % 35) + " w" + std::to_string(5 + i); }
constexpr int kTexts = 24;

// Texts with a label each, and the texts alone.
struct Sheet {
  std::string table, texts;
};
template <class Label>
Sheet sheet(const TempFolder& folder, Label label) {
  std::string table = "text\tlabel\n", texts;
  for (int i = 0; i < kTexts; ++i) {
    table += sentence(i) + "\t" + label(i) + "\n";
    texts += sentence(i) + "\n";
  }
  return {folder.write("data.tsv", table), folder.write("texts", texts)};
}

// Of each text the scores by label.
std::vector<std::map<std::string, double>> classify(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "classify");
  arguments.insert(arguments.end(), {"--json", "-t", "1"});
  Ran r = run(arguments);
  EXPECT_EQ(r.code, 0) << r.err;
  std::vector<std::map<std::string, double>> out;
  const json results = r.json()["results"];
  for (const json& result : results) {
    auto& scores = out.emplace_back();
    for (const json& l : result["labels"]) scores[l["label"].get<std::string>()] = l["score"].get<double>();
  }
  return out;
}

TEST(EvalLabels, ClassesAreThoseThatClassifyTells) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-classification");
  const Sheet data = sheet(folder, [](int i) { return "label " + std::to_string(i % 3); });
  Ran r = run({"eval", model, "--data", data.table, "--json", "-t", "1"});
  ASSERT_EQ(r.code, 0) << r.err;
  const json e = r.json();
  json confusion = json::array({{0, 0, 0}, {0, 0, 0}, {0, 0, 0}});
  double loss = 0;
  int right = 0;
  const auto told = classify({model, "-f", data.texts});
  for (int i = 0; i < kTexts; ++i) {
    const auto& scores = told[static_cast<size_t>(i)];
    const auto best = std::ranges::max_element(scores, {}, [](const auto& s) { return s.second; })->first;
    const auto which = static_cast<size_t>(best.back() - '0');
    confusion[static_cast<size_t>(i % 3)][which] = confusion[static_cast<size_t>(i % 3)][which].get<int>() + 1;
    right += which == static_cast<size_t>(i % 3);
    loss -= std::log(scores.at("label " + std::to_string(i % 3)));
  }
  EXPECT_EQ(e["samples"], kTexts);
  EXPECT_EQ(e["confusion"], confusion);
  EXPECT_NEAR(e["accuracy"].get<double>(), right / static_cast<double>(kTexts), 1e-12);
  EXPECT_NEAR(e["loss"].get<double>(), loss / kTexts, 1e-6);
  EXPECT_EQ(e["labels"][2]["support"], kTexts / 3);
  for (const char* average : {"macro", "micro", "weighted"}) EXPECT_TRUE(e[average]["f1"].is_number()) << average;
  Ran text = run({"eval", model, "--data", data.table, "-t", "1"});
  EXPECT_THAT(text.out, testing::AllOf(HasSubstr("accuracy"), HasSubstr("precision"), HasSubstr("confusion"), HasSubstr("label 1")));
}

TEST(EvalLabels, NumbersAndSeveralLabels) {
  TempFolder folder;
  const Sheet numbers = sheet(folder, [](int i) { return std::to_string(i) + ".5"; });
  const std::string regression = encoder(folder, "bert-regression");
  const json e = run({"eval", regression, "--data", numbers.table, "--json", "-t", "1"}).json();
  double mse = 0;
  const auto told = classify({regression, "-f", numbers.texts});
  for (int i = 0; i < kTexts; ++i) mse += std::pow(told[static_cast<size_t>(i)].begin()->second - (i + 0.5), 2) / kTexts;
  EXPECT_NEAR(e["mse"].get<double>(), mse, 1e-6 * mse);
  EXPECT_NEAR(e["loss"].get<double>(), mse, 1e-6 * mse);
  EXPECT_LE(std::fabs(e["pearson"].get<double>()), 1);
  EXPECT_LE(std::fabs(e["spearman"].get<double>()), 1);

  const Sheet several = sheet(folder, [](int i) { return i % 4 == 0 ? std::string() : "label " + std::to_string(i % 4) + ",label 0"; });
  const std::string model = encoder(folder, "bert-multi-label");
  const json m = run({"eval", model, "--data", several.table, "--json", "-t", "1"}).json();
  int wrong = 0, whole = 0;
  const auto probabilities = classify({model, "-f", several.texts});
  for (int i = 0; i < kTexts; ++i) {
    int here = 0;
    for (int l = 0; l < 4; ++l) {
      const bool is = i % 4 != 0 && (l == 0 || l == i % 4);
      here += is != (probabilities[static_cast<size_t>(i)].at("label " + std::to_string(l)) > 0.5);
    }
    wrong += here, whole += here == 0;
  }
  EXPECT_NEAR(m["hamming_loss"].get<double>(), wrong / (4.0 * kTexts), 1e-12);
  EXPECT_NEAR(m["subset_accuracy"].get<double>(), whole / static_cast<double>(kTexts), 1e-12);
  EXPECT_EQ(m["labels"].size(), 4u);
}

TEST(EvalLabels, GatesAndWhatDoesNotFit) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-classification");
  const Sheet data = sheet(folder, [](int i) { return "label " + std::to_string(i % 3); });
  auto eval = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"eval", model, "--data", data.table, "-t", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  EXPECT_EQ(eval({"--min-accuracy", "0", "--min-f1", "0", "--max-loss", "1e9"}).code, 0);
  Ran missed = eval({"--min-accuracy", "1.01"});
  EXPECT_EQ(missed.code, 7);
  EXPECT_THAT(missed.err, HasSubstr("is below the gate of 1.01"));
  EXPECT_THAT(missed.out, HasSubstr("accuracy")) << "the figures are there all the same";
  EXPECT_EQ(eval({"--min-bleu", "10"}).code, 2);
  EXPECT_EQ(eval({"--answers"}).code, 2);
  EXPECT_EQ(eval({"--label-column", "nowhere"}).code, 2);
  EXPECT_EQ(eval({"--ppl", data.texts}).code, 2) << "one thing at a time";
  const Sheet other = sheet(folder, [](int i) { return i == 3 ? "unheard of" : "label 1"; });
  Ran unknown = run({"eval", model, "--data", other.table, "-t", "1"});
  EXPECT_EQ(unknown.code, 3);
  EXPECT_THAT(unknown.err, HasSubstr("unheard of"));
}

TEST(Ensemble, SaysWhatTheMeanOfTheLogitsSays) {
  TempFolder folder;
  std::vector<std::string> models;
  for (const char* name : {"bert-classification", "distilbert-classification", "llama-classification"}) models.push_back(encoder(folder, name));
  const Sheet data = sheet(folder, [](int i) { return "label " + std::to_string(i % 3); });
  const auto joint = classify({models[0], "--ensemble", models[1], "--ensemble", models[2], "-f", data.texts});
  std::vector<std::vector<std::map<std::string, double>>> each;
  for (const std::string& m : models) each.push_back(classify({m, "-f", data.texts}));
  ASSERT_EQ(joint.size(), static_cast<size_t>(kTexts));
  for (size_t i = 0; i < joint.size(); ++i) {
    std::map<std::string, double> mean;  // logarithms of probabilities are logits but for a constant, which softmax does not see
    double sum = 0;
    for (const auto& [label, p] : joint[i]) {
      for (const auto& model : each) mean[label] += std::log(model[i].at(label)) / 3;
      sum += std::exp(mean[label]);
    }
    for (const auto& [label, p] : joint[i]) EXPECT_NEAR(p, std::exp(mean[label]) / sum, 1e-6);
  }
  const json e = run({"eval", models[0], "--ensemble", models[1], "--ensemble", models[2], "--data", data.table, "--json", "-t", "1"}).json();
  double loss = 0;
  for (size_t i = 0; i < joint.size(); ++i) loss -= std::log(joint[i].at("label " + std::to_string(i % 3))) / kTexts;
  EXPECT_NEAR(e["loss"].get<double>(), loss, 1e-6);
  EXPECT_EQ(e["models"].size(), 3u);
}

TEST(Ensemble, OfModelsThatTellTheSame) {
  TempFolder folder;
  const std::string model = encoder(folder, "bert-classification");
  auto classify_with = [&](const std::string& other) { return run({"classify", model, "--ensemble", other, "-p", "w7 w8", "-t", "1"}); };
  Ran task = classify_with(encoder(folder, "bert-regression"));
  EXPECT_EQ(task.code, 2);
  EXPECT_THAT(task.err, HasSubstr("is made for 'regression' and the first model for 'classification'"));
  Ran labels = classify_with(encoder(folder, "gru"));
  EXPECT_EQ(labels.code, 2);
  EXPECT_THAT(labels.err, HasSubstr("has 2 labels"));
}

TEST(EvalAnswers, WhatWasLearnedByHeartMatchesExactly) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder);
  std::string lines;
  for (auto [question, answer] :
       {std::pair("once a the", "the in a once in the a"), {"the in, a", "a once in the, a the in"}, {"a once.", "in the a, a the once"}})
    lines += json{{"messages", {{{"role", "user"}, {"content", question}}, {{"role", "assistant"}, {"content", answer}}}}}.dump() + "\n";
  const std::string data = folder.write("chats.jsonl", lines);
  Ran learned = run({"finetune",
                     model,
                     "--data",
                     data,
                     "--output",
                     folder / "learned",
                     "--length",
                     "48",
                     "--batch",
                     "3",
                     "--steps",
                     "150",
                     "--learning-rate",
                     "1e-2",
                     "--eval-fraction",
                     "0",
                     "--save-every",
                     "150",
                     "-t",
                     "2"});
  ASSERT_EQ(learned.code, 0) << learned.err;
  const std::string after = folder / "learned";
  auto eval = [&](const std::string& of, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"eval", of, "--data", data, "-n", "24", "-t", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  };
  const json before = eval(model, {"--answers", "--json"}).json(), e = eval(after, {"--answers", "--json"}).json();
  EXPECT_EQ(e["answers"], 3);
  EXPECT_EQ(e["exact_match"], 1.0) << e;
  EXPECT_NEAR(e["bleu"].get<double>(), 100, 1e-9);
  EXPECT_LT(before["bleu"].get<double>(), 50);
  EXPECT_NEAR(e["ppl"].get<double>(), std::exp(e["nll"].get<double>()), 1e-6 * e["ppl"].get<double>());
  EXPECT_LT(e["ppl"].get<double>(), before["ppl"].get<double>());
  EXPECT_THAT(eval(after, {"--answers", "--min-exact-match", "1", "--min-bleu", "99"}).out, HasSubstr("BLEU 100.00"));
  EXPECT_EQ(eval(model, {"--answers", "--min-exact-match", "0.5"}).code, 7);
  EXPECT_EQ(eval(model, {"--min-exact-match", "0.5"}).code, 2) << "nothing was written";
  EXPECT_EQ(eval(model, {"--ensemble", after}).code, 2);
}

TEST(EvalAnswers, OnlyWhatCountsAsLearnedIsScored) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder);
  const std::string chat =
      folder.write("chat.jsonl", R"({"messages": [{"role": "user", "content": "once the a in"}, {"role": "assistant", "content": "a"}]})");
  const json e = run({"eval", model, "--data", chat, "--json", "-t", "1"}).json();
  EXPECT_EQ(e["tokens"], 2) << "the answer and what ends it: " << e;
  const std::string texts = folder.write("texts.jsonl", "{\"text\": \"once the a\"}\n{\"text\": \"in the a\"}\n");
  const json t = run({"eval", model, "--data", texts, "--json", "-t", "1"}).json();
  EXPECT_EQ(t["samples"], 2);
  EXPECT_GT(t["tokens"].get<int>(), 6);
}

}  // namespace
}  // namespace motley
