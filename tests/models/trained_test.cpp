// Models that were really trained say what their makers saw them say: stories260K in both forms, and gpt-nano-sort with its activations.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "compiled_model.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "reference_model.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

fs::path weights_folder() {
  const char* shared = std::getenv("MOTLEY_SHARED");
  return (shared ? fs::path(shared) : fs::path(MOTLEY_SOURCE_DIR) / ".." / "shared") / "data" / "weights";
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double off = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) off = std::max(off, std::abs(a[i] - b[i]));
  return off;
}

class Stories : public testing::TestWithParam<const char*> {
 protected:
  void expect_story(const MakeModel& make, double tolerance);
};

void Stories::expect_story(const MakeModel& make, double tolerance) {
  const fs::path folder = weights_folder() / "stories260K";
  if (!fs::exists(folder / GetParam())) GTEST_SKIP() << "needs shared/data/weights/stories260K";
  const Json reference = parse_json(read_file(folder / "reference.json", 1 << 20), "reference.json");
  auto model = make(folder / GetParam(), 512);
  std::vector<std::vector<double>> logits;
  const Json& from_bos = reference["greedy_from_bos"];
  auto tokens = from_bos["tokens"].get<std::vector<int32_t>>();
  const auto prompt = from_bos["prompt_tokens"].get<std::vector<int32_t>>();
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(prompt.size()));
  EXPECT_EQ(greedy(*model, prompt, tokens.size(), logits), tokens);
  const Json& first = reference["logits_greedy_first_16"];
  for (size_t i = 0; i < first.size(); ++i)
    EXPECT_LE(largest_difference(logits[i], first[i].get<std::vector<double>>()), tolerance) << "position " << i;
}

TEST_P(Stories, GreedyTokensAndLogitsAreTheReference) {
  expect_story([](const std::string& path, int64_t context) { return std::make_unique<ReferenceModel>(path, context); }, 1e-5);
}

TEST_P(Stories, CompiledForTheCpuToo) {
  expect_story([](const std::string& path, int64_t context) { return std::make_unique<CompiledModel>(path, context); }, 2e-4);
}

INSTANTIATE_TEST_SUITE_P(Both, Stories, testing::Values("hf", "stories260K.gguf"),
                         [](const auto& test) { return std::string(test.param) == "hf" ? "HuggingFace" : "Gguf"; });

TEST(GptNanoSort, SortsTwentyInputs) {
  const fs::path folder = weights_folder() / "gpt-nano-sort";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs shared/data/weights/gpt-nano-sort";
  ReferenceModel reference(folder / "hf");
  CompiledModel compiled(folder / "hf", 0);
  const Json examples = parse_json(read_file(folder / "greedy_sort.json", 1 << 20), "greedy_sort.json");
  EXPECT_EQ(examples.size(), 20u);
  for (const Json& example : examples) {
    for (TextModel* model : {static_cast<TextModel*>(&reference), static_cast<TextModel*>(&compiled)}) {
      std::vector<std::vector<double>> logits;
      model->reset();
      EXPECT_EQ(greedy(*model, example["input"].get<std::vector<int32_t>>(), 6, logits), example["greedy"].get<std::vector<int32_t>>());
    }
  }
}

// Activations of three sequences, by node: the last node under a name is the part's result.
TEST(GptNanoSort, ActivationsAreTheGoldenOnes) {
  const fs::path folder = weights_folder() / "gpt-nano-sort";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs shared/data/weights/gpt-nano-sort";
  const SafetensorsFile golden = SafetensorsFile::open(folder / "partials.safetensors");
  const std::map<std::string, std::string> parts = {{"transformer.h.0.ln_1", "ln1"}, {"transformer.h.0.attn.c_attn", "qkv"},
                                                    {"transformer.h.0.attn", "y"},   {"transformer.h.0.attn.c_proj", "yProj"},
                                                    {"transformer.h.0.ln_2", "ln2"}, {"transformer.h.0.mlp.c_fc", "fc"},
                                                    {"transformer.h.0.mlp", "gelu"}, {"transformer.h.0.mlp.c_proj", "mlp"},
                                                    {"transformer.h.0", "block0"},   {"transformer.h.1", "block1"},
                                                    {"transformer.h.2", "block2"},   {"transformer.ln_f", "ln_f"},
                                                    {"lm_head", "lm_head"}};
  const Tensor ids = golden.load("idx");
  ReferenceModel model(folder / "hf");
  std::map<std::string, std::vector<double>> seen;
  model.observer = [&](const Node& node, std::span<const RefValue> results) {
    if (!std::holds_alternative<State>(node.op)) seen[node.name] = results[0].data;
  };
  const size_t positions = static_cast<size_t>(ids.dim(1));
  for (size_t sequence = 0; sequence < static_cast<size_t>(ids.dim(0)); ++sequence) {
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < positions; ++i) tokens.push_back(static_cast<int32_t>(ids.data<float>()[sequence * positions + i]));
    model.reset();
    model.step(tokens);
    for (const auto& [name, part] : parts) {
      const Tensor wanted = golden.load(part);
      const size_t size = static_cast<size_t>(wanted.size() / wanted.dim(0));
      const auto values = wanted.data<float>().subspan(sequence * size, size);
      ASSERT_TRUE(seen.contains(name)) << name;
      EXPECT_LE(largest_difference(seen[name], {values.begin(), values.end()}), 2e-5) << part << " of sequence " << sequence;
    }
  }
}

}  // namespace
}  // namespace motley
