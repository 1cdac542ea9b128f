// The contract of run and eval.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "base/file.h"
#include "material.h"
#include "program.h"

namespace motley {
namespace {

TEST(Run, JsonKeepsTheContract) {
  auto reference = nlohmann::json::parse(read_file(tiny_model() + "/reference.json", 1 << 20));
  for (const auto& sequence : reference["sequences"]) {
    const auto& prompt = sequence["prompt"];
    Ran r = run({"run", tiny_model(), "--ids", prompt.dump(), "-n", "32", "--temp", "0", "--json", "--ignore-eos", "--kv-type", "f32"});
    ASSERT_EQ(r.code, 0) << r.err;
    auto json = r.json();
    EXPECT_EQ(json["ids"], sequence["greedy"]);
    EXPECT_EQ(json["prompt_ids"], prompt);
    EXPECT_TRUE(json["text"].is_null());
    EXPECT_EQ(json["finish_reason"], "length");
    EXPECT_TRUE(json["plan"].is_string());
    for (const char* key : {"load_s", "prefill_s", "decode_s", "prefill_tok_s", "decode_tok_s"}) EXPECT_TRUE(json["timings"][key].is_number()) << key;
  }
}

TEST(Run, TextGoesToStandardOutputAndTheRestToStandardError) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder);
  Ran plain = run({"run", model, "-p", "once", "-n", "6", "--temp", "0", "--ignore-eos"}),
      json = run({"run", model, "-p", "once", "-n", "6", "--temp", "0", "--ignore-eos", "--json"});
  ASSERT_EQ(plain.code, 0) << plain.err;
  EXPECT_EQ(plain.out, json.json()["text"].get<std::string>() + "\n");
  EXPECT_NE(plain.err.find("tok/s"), std::string::npos);
  EXPECT_EQ(json.err, "");
  EXPECT_EQ(json.json()["prompt_ids"], (std::vector<int>{58, 35}));
  EXPECT_EQ(run({"run", model, "-n", "6", "--temp", "0", "--ignore-eos", "-q"}, {.input = "once"}).out, plain.out);
  EXPECT_EQ(run({"run", model, "-n", "6", "--temp", "0", "--ignore-eos", "-q"}, {.input = "once"}).err, "");
}

TEST(Run, LogitsAreAMatrixOfPositionsAndWords) {
  TempFolder folder;
  Ran r = run({"run", tiny_model(), "--ids", "[1,2,3]", "-n", "4", "--temp", "0", "--json", "--ignore-eos", "--logits", folder / "logits"});
  ASSERT_EQ(r.code, 0) << r.err;
  const std::string bytes = read_file(folder / "logits", 1 << 20);
  // Three positions of the prompt, and those of the generated tokens that were computed on.
  ASSERT_EQ(bytes.size() % (64 * 4), 0u);
  EXPECT_GE(bytes.size() / (64 * 4), 6u);
  std::vector<float> logits(bytes.size() / 4);
  std::memcpy(logits.data(), bytes.data(), bytes.size());
  const auto third = logits.begin() + 2 * 64;
  EXPECT_EQ(std::max_element(third, third + 64) - third, r.json()["ids"][0].get<int>());
}

TEST(Run, TheSameSeedGivesTheSameText) {
  const std::vector<std::string> words = {"run", tiny_model(), "--ids", "[1]", "-n", "20", "--json", "--ignore-eos", "--temp", "1.5", "--seed"};
  auto ids = [&](const char* seed) {
    auto all = words;
    all.emplace_back(seed);
    return run(all).json()["ids"].dump();
  };
  EXPECT_EQ(ids("7"), ids("7"));
  EXPECT_NE(ids("7"), ids("8"));
}

TEST(Run, SamplesAreTheTextsOfTheirSeeds) {
  const std::vector<std::string> words = {"run", tiny_model(), "--ids", "[1]", "-n", "12", "--json", "--ignore-eos", "--temp", "1.5", "--seed"};
  auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = words;
    all.insert(all.end(), more.begin(), more.end());
    return run(all);
  };
  Ran many = with({"7", "--samples", "5", "--parallel", "3"});
  ASSERT_EQ(many.code, 0) << many.err;
  std::istringstream lines(many.out);
  std::string line;
  int seed = 7;
  for (; std::getline(lines, line); ++seed) {
    auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["seed"], seed);
    EXPECT_EQ(json["ids"], with({std::to_string(seed)}).json()["ids"]);
  }
  EXPECT_EQ(seed, 12);
  EXPECT_EQ(with({"7", "--samples", "2", "--logits", "unwritten"}).code, 2);
}

TEST(Run, AStopIdEndsTheText) {
  auto json = [](std::vector<std::string> more) {
    std::vector<std::string> all = {"run", tiny_model(), "--ids", "[1]", "-n", "8", "--temp", "0", "--json", "--ignore-eos"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all).json();
  };
  const auto whole = json({})["ids"].get<std::vector<int>>();
  const auto first = std::find(whole.begin(), whole.end(), whole[3]) - whole.begin();
  auto cut = json({"--stop-ids", "[" + std::to_string(whole[3]) + "]"});
  EXPECT_EQ(cut["ids"].size(), static_cast<size_t>(first) + 1);
  EXPECT_EQ(cut["finish_reason"], "stop");
}

TEST(Run, APromptThatCannotBeIsRefused) {
  EXPECT_EQ(run({"run", tiny_model(), "--ids", "[64]", "-n", "1"}).code, 2);
  EXPECT_EQ(run({"run", tiny_model(), "--ids", "[]", "-n", "1"}).code, 2);
  Ran r = run({"run", tiny_model(), "-p", "once"});
  EXPECT_EQ(r.code, 3);
  EXPECT_NE(r.err.find("--ids"), std::string::npos) << r.err;
}

TEST(Eval, PerplexityIsTheExponentialOfTheMeanLoss) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder),
                    text = folder.write("text", "once the, a the. once in the a, the the the. a once a the, the in.");
  Ran r = run({"eval", model, "--ppl", text, "--ctx", "8", "--json"});
  ASSERT_EQ(r.code, 0) << r.err;
  auto json = r.json();
  EXPECT_NEAR(json["ppl"].get<double>(), std::exp(json["nll"].get<double>()), 1e-6 * json["ppl"].get<double>());
  const auto ids = run({"tokenize", model, "--json"}, {.input = read_file(text, 1 << 20)}).json().size();
  const size_t windows = (ids + 7) / 8;  // the first token of each is not scored
  EXPECT_EQ(json["tokens"].get<size_t>(), ids - windows);
}

TEST(Eval, AGateIsExitCode7) {
  TempFolder folder;
  const std::string model = model_with_tokenizer(folder), text = folder.write("text", "once the, a the. once in the a");
  Ran r = run({"eval", model, "--ppl", text, "--ctx", "8", "--max-ppl", "1.01"});
  EXPECT_EQ(r.code, 7) << r.err;
  EXPECT_EQ(run({"eval", model, "--ppl", text, "--ctx", "8", "--max-ppl", "1e30"}).code, 0);
  EXPECT_EQ(run({"eval", model, "--ppl", folder / "none"}).code, 3);
  EXPECT_EQ(run({"eval", model}).code, 2);
}

}  // namespace
}  // namespace motley
