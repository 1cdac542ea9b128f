#include "quant/recipe.h"

#include <gtest/gtest.h>

namespace motley {
namespace {

Dtype type(const char* recipe, const char* state, Shape shape, int64_t layer = 0, int64_t layers = 16, bool head = false) {
  return find_recipe(recipe)->type_of({state, std::move(shape), layer, layers, head});
}

TEST(Recipe, VectorsStayFloatAndMatricesGetTheType) {
  EXPECT_EQ(type("q4_0", "model.norm.weight", {2048}), Dtype::f32);
  EXPECT_EQ(type("q4_0", "model.layers.0.mlp.up_proj.weight", {8192, 2048}), Dtype::q4_0);
  EXPECT_EQ(type("BF16", "model.layers.0.mlp.up_proj.weight", {8192, 2048}), Dtype::bf16);
}

TEST(Recipe, TheHeadKeepsMoreBits) {
  EXPECT_EQ(type("q4_0", "model.embed_tokens.weight", {128256, 2048}, -1, 16, true), Dtype::q6_k);
  EXPECT_EQ(type("q4_0", "model.embed_tokens.weight", {49152, 576}, -1, 30, true), Dtype::q8_0);
  EXPECT_EQ(type("q8_0", "lm_head.weight", {128256, 2048}, -1, 16, true), Dtype::q8_0);
  EXPECT_EQ(find_recipe("q4_0", true)->type_of({"lm_head.weight", {128256, 2048}, -1, 16, true}), Dtype::q4_0);
}

TEST(Recipe, Q4KMGivesValuesAndDownProjectionsMoreInSomeLayers) {
  int six = 0;
  for (int64_t layer = 0; layer < 16; ++layer) six += type("q4_k_m", "model.layers.0.mlp.down_proj.weight", {2048, 8192}, layer) == Dtype::q6_k;
  EXPECT_EQ(six, 8);  // layers 0 1, 4 7 10 13, 14 15
  EXPECT_EQ(type("q4_k_m", "model.layers.0.mlp.up_proj.weight", {8192, 2048}), Dtype::q4_k);
  EXPECT_EQ(type("q4_k_m", "model.layers.0.self_attn.q_proj.weight", {576, 576}), Dtype::q5_0);  // rows are not whole blocks of 256
  EXPECT_EQ(type("q4_k_m", "model.layers.0.self_attn.q_proj.weight", {100, 100}), Dtype::f16);
}

TEST(Recipe, UnknownNamesAreNothing) { EXPECT_FALSE(find_recipe("q9")); }

}  // namespace
}  // namespace motley
