#include "nn/shapes.h"

#include <gtest/gtest.h>

#include <map>

namespace motley {
namespace {

// As published with the models (the sum of a checkpoint's tensors, a tied head counted once).
TEST(Shapes, HaveThePublishedNumberOfParameters) {
  const std::map<std::string_view, int64_t> published = {
      {"llama-2-7b", 6738415616},
      {"llama-3.1-8b", 8030261248},
      {"llama-3.1-70b", 70553706496},
      {"llama-3.2-1b", 1235814400},
      {"llama-3.2-3b", 3212749824},
      {"mistral-7b", 7241732096},
      {"mixtral-8x7b", 46702792704},
      {"smollm2-135m", 134515008},
      {"smollm2-360m", 361821120},
      {"qwen2.5-0.5b", 494032768},
      {"qwen2.5-1.5b", 1543714304},
      {"qwen2.5-7b", 7615616512},
      {"qwen3-0.6b", 596049920},
      {"qwen3-30b-a3b", 30532122624},
      {"gemma-2-2b", 2614341888},
      {"gemma-3-1b", 999885952},
      {"phi-3-mini", 3821079552},
      {"gpt2-124m", 124439808},
      {"pythia-160m", 162322944},
      // With the head of a masked language model; MiniLM without the pooler that its embeddings do not need.
      {"bert-base-uncased", 109514298},
      {"bert-base-cased", 108340804},
      {"minilm-l6", 22565376},
  };
  for (std::string_view name : shape_names()) {
    ASSERT_TRUE(published.contains(name)) << name;
    EXPECT_EQ(count_parameters(*find_shape(name)), published.at(name)) << name;
  }
  EXPECT_EQ(shape_names().size(), published.size());
}

TEST(Shapes, AnUnknownNameIsNothing) { EXPECT_FALSE(find_shape("llama-9")); }

TEST(Shapes, WeightsComeOnceAndWithoutCaches) {
  auto weights = model_weights(*find_shape("smollm2-135m"), [](const std::string& name) {
    return Type{name.ends_with("norm.weight") ? Dtype::f32 : Dtype::q8_0, {}};
  });
  EXPECT_EQ(weights.size(), 2u + 30 * 9);  // the tied head is the embedding
  EXPECT_EQ(weights[0].name, "model.embed_tokens.weight");
  EXPECT_EQ(to_string(weights[0].type), "q8_0[49152,576]");
  EXPECT_EQ(to_string(weights.back().type), "f32[576]");
}

}  // namespace
}  // namespace motley
