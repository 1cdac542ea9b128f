#include "passes/adapt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/text.h"
#include "motley/error.h"
#include "ops/verify.h"
#include "passes/autodiff.h"

namespace motley {
namespace {

constexpr const char* kLayer = R"(graph
%0 = input : f32[4,3] "x"
%1 = state : f32[2,3] "model.layers.0.mlp.up_proj.weight" block=0
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,2] "up" block=0
%3 = state : f32[2] "model.layers.0.mlp.up_proj.bias" block=0
%4 = add(%2, %3) : f32[4,2] "up" block=0
%5 = state : f32[3,2] "model.layers.0.mlp.down_proj.weight" block=0
%6 = matmul(%4, %5) transpose_w=true activation=f32 : f32[4,3] "down" block=0
%7 = state : f32[5,3] "lm_head.weight"
%8 = matmul(%6, %7) transpose_w=true activation=f32 : f32[4,5] "head"
output %8 "logits"
)";

std::string adapted(const Adapter& adapter, const AdaptOptions& options = {}, const char* text = kLayer) {
  Graph g = adapt(parse_graph(text), adapter, options);
  verify(g);
  return print(g);
}

TEST(Adapt, LoraIsTwoSmallProductsBesideTheProduct) {
  EXPECT_EQ(adapted({.targets = {"up_proj"}, .rank = 2, .alpha = 4, .dropout = 0.5f}, {.learns = true}), R"(graph
%0 = input : f32[4,3] "x"
%1 = state : f32[2,3] "model.layers.0.mlp.up_proj.weight" block=0
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,2] "up" block=0
%3 = state : f32[2,3] "base_model.model.model.layers.0.mlp.up_proj.lora_A.weight" block=0
%4 = state : f32[2,2] "base_model.model.model.layers.0.mlp.up_proj.lora_B.weight" block=0
%5 = input : i32[4] "dropout_key"
%6 = dropout(%0, %5) rate=0.5 stream=0 : f32[4,3] "model.layers.0.mlp.up_proj.adapter" block=0
%7 = matmul(%6, %3) transpose_w=true activation=f32 : f32[4,2] "model.layers.0.mlp.up_proj.adapter" block=0
%8 = const shape=[1] values=[2] : f32[1] "model.layers.0.mlp.up_proj.adapter" block=0
%9 = mul(%7, %8) : f32[4,2] "model.layers.0.mlp.up_proj.adapter" block=0
%10 = matmul(%9, %4) transpose_w=true activation=f32 : f32[4,2] "model.layers.0.mlp.up_proj.adapter" block=0
%11 = add(%2, %10) : f32[4,2] "model.layers.0.mlp.up_proj.adapter" block=0
%12 = state : f32[2] "model.layers.0.mlp.up_proj.bias" block=0
%13 = add(%11, %12) : f32[4,2] "up" block=0
%14 = state : f32[3,2] "model.layers.0.mlp.down_proj.weight" block=0
%15 = matmul(%13, %14) transpose_w=true activation=f32 : f32[4,3] "down" block=0
%16 = state : f32[5,3] "lm_head.weight"
%17 = matmul(%15, %16) transpose_w=true activation=f32 : f32[4,5] "head"
output %17 "logits"
)");
}

TEST(Adapt, Ia3MultipliesOutputsWithTheirBiasAndInputsOfTheFeedForward) {
  EXPECT_EQ(adapted({.method = AdapterMethod::ia3, .targets = {"up_proj", "down_proj"}, .feed_forward = {"down_proj"}}), R"(graph
%0 = input : f32[4,3] "x"
%1 = state : f32[2,3] "model.layers.0.mlp.up_proj.weight" block=0
%2 = matmul(%0, %1) transpose_w=true activation=f32 : f32[4,2] "up" block=0
%3 = state : f32[2] "model.layers.0.mlp.up_proj.bias" block=0
%4 = add(%2, %3) : f32[4,2] "up" block=0
%5 = state : f32[2,1] "base_model.model.model.layers.0.mlp.up_proj.ia3_l" block=0
%6 = reshape(%5) shape=[2] : f32[2] "model.layers.0.mlp.up_proj.adapter" block=0
%7 = mul(%4, %6) : f32[4,2] "model.layers.0.mlp.up_proj.adapter" block=0
%8 = state : f32[3,2] "model.layers.0.mlp.down_proj.weight" block=0
%9 = state : f32[1,2] "base_model.model.model.layers.0.mlp.down_proj.ia3_l" block=0
%10 = reshape(%9) shape=[2] : f32[2] "model.layers.0.mlp.down_proj.adapter" block=0
%11 = mul(%7, %10) : f32[4,2] "model.layers.0.mlp.down_proj.adapter" block=0
%12 = matmul(%11, %8) transpose_w=true activation=f32 : f32[4,3] "down" block=0
%13 = state : f32[5,3] "lm_head.weight"
%14 = matmul(%12, %13) transpose_w=true activation=f32 : f32[4,5] "head"
output %14 "logits"
)");
}

TEST(Adapt, ABottleneckComesBehindAProductAndItsBias) {
  std::string text = adapted({.method = AdapterMethod::bottleneck, .targets = {"up_proj"}, .width = 7});
  EXPECT_NE(text.find("matmul(%4, %5) transpose_w=true activation=f32 : f32[4,7]"), std::string::npos) << text;
  EXPECT_NE(text.find("act(%10) kind=relu : f32[4,7]"), std::string::npos) << text;
}

TEST(Adapt, ServingHasNoDropout) { EXPECT_EQ(adapted({.targets = {"up_proj"}, .rank = 2, .dropout = 0.5f}).find("dropout"), std::string::npos); }

TEST(Adapt, AllLinearLeavesTheHeadAlone) {
  std::string text = adapted({.targets = {"all-linear"}, .rank = 1});
  EXPECT_NE(text.find("up_proj.lora_A"), std::string::npos);
  EXPECT_NE(text.find("down_proj.lora_A"), std::string::npos);
  EXPECT_EQ(text.find("lm_head.lora_A"), std::string::npos);
}

TEST(Adapt, RanksAndScalesOfSingleModules) {
  Adapter a{.targets = {"all-linear"}, .rank = 2, .alpha = 8, .ranks = {{"down_proj", 1}}, .alphas = {{"mlp.down_proj", 3}}};
  std::string text = adapted(a);
  EXPECT_NE(text.find("f32[1,2] \"base_model.model.model.layers.0.mlp.down_proj.lora_A.weight\""), std::string::npos) << text;
  EXPECT_NE(text.find("values=[3]"), std::string::npos) << text;
  EXPECT_NE(text.find("values=[4]"), std::string::npos) << text;
  a.rank_stabilised = true;
  EXPECT_NEAR(lora_scale(a, "model.layers.0.mlp.up_proj", 2), 8 / std::sqrt(2.0), 1e-12);
}

TEST(Adapt, OnlyTheAdapterLearns) {
  Graph g = adapt(parse_graph(kLayer), {.targets = {"up_proj"}, .rank = 2});
  auto learns = adapter_learns({.targets = {"up_proj"}}, g);
  EXPECT_TRUE(learns("base_model.model.model.layers.0.mlp.up_proj.lora_A.weight"));
  EXPECT_FALSE(learns("model.layers.0.mlp.up_proj.weight"));
  EXPECT_FALSE(learns("model.layers.0.mlp.up_proj.bias"));
  auto biases = adapter_learns({.method = AdapterMethod::bias, .saved_modules = {"lm_head"}}, g);
  EXPECT_TRUE(biases("model.layers.0.mlp.up_proj.bias"));
  EXPECT_TRUE(biases("lm_head.weight"));
  EXPECT_FALSE(biases("model.layers.0.mlp.up_proj.weight"));
}

TEST(Adapt, ANewAdapterChangesNothing) {
  auto start = [](const char* state, const Type& type) {
    Tensor t = adapter_start(state, type, 1);
    return std::vector<float>(t.data<float>().begin(), t.data<float>().end());
  };
  Type a{Dtype::f32, {{4}, {16}}};
  float most = 0;
  for (float v : start("base_model.model.m.lora_A.weight", a)) most = std::max(most, std::fabs(v));
  EXPECT_GT(most, 0.1f);
  EXPECT_LE(most, 0.25f);
  for (const char* zero : {"base_model.model.m.lora_B.weight", "base_model.model.m.bottleneck_up.weight", "base_model.model.m.bottleneck_down.bias"})
    EXPECT_EQ(start(zero, a), std::vector<float>(64, 0.0f)) << zero;
  EXPECT_EQ(start("base_model.model.m.ia3_l", {Dtype::f32, {{4}, {1}}}), std::vector<float>(4, 1.0f));
}

constexpr const char* kAttention = R"(graph
%0 = input : i32[4] "tokens"
%1 = state : f32[9,6] "embed"
%2 = gather(%1, %0) : f32[4,6] "e"
%3 = reshape(%2) shape=[4,2,3] : f32[4,2,3] "q" block=0
%4 = slice(%3) axis=1 begin=0 size=1 : f32[4,1,3] "k" block=0
%5 = slice(%3) axis=1 begin=1 size=1 : f32[4,1,3] "v" block=0
%6 = input : i32[4] "positions"
%7 = input : i32[4] "seq"
%8 = attention(%3, %4, %5, %6, %7) scale=1 softcap=0 window=0 causal=true : f32[4,2,3] ; f32[4,2] "a" block=0
%9 = square_sum(%8) : f32[1] "sum"
output %9 "loss"
)";

TEST(Adapt, APrefixIsTokensWhoseKeysAndValuesAreLearned) {
  Adapter prefix{.method = AdapterMethod::prefix, .tokens = 2};
  std::string text = adapted(prefix, {}, kAttention);
  for (const char* part : {"f32[2,6] \"prompt_embeddings\"", "axis=-1 begin=0 size=3 : f32[2,3]", "axis=-1 begin=3 size=3 : f32[2,3]"})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  // Both parts of the table learn, through one concat.
  Graph g = adapt(parse_graph(kAttention), prefix);
  std::string learning = print(autodiff(g, {.learns = adapter_learns(prefix, g)}));
  EXPECT_NE(learning.find("\"grad prompt_embeddings\""), std::string::npos);
  EXPECT_NE(learning.find("concat("), std::string::npos);
}

void expect_error(const Adapter& adapter, const char* text, std::string_view message) {
  try {
    adapt(parse_graph(text), adapter);
    FAIL() << message;
  } catch (const Error& e) {
    EXPECT_EQ(std::string_view(e.what()), message);
  }
}

TEST(Adapt, ErrorsNameWhatThereIs) {
  expect_error({.targets = {"q_proj"}}, kLayer, "[adapter] no module of this model is called 'q_proj'; there are: down_proj, lm_head, up_proj");
  expect_error({}, kLayer, "[adapter] this model has none of the modules that are usually adapted; choose among: down_proj, lm_head, up_proj");
  expect_error({.targets = {"up_proj"}, .rank = 4}, kLayer,
               "[adapter] a rank of 4 does not suit model.layers.0.mlp.up_proj with 3 inputs and 2 outputs");
  expect_error({.method = AdapterMethod::bias}, kAttention,
               "[adapter] this model has no biases that could learn; choose another method, such as lora");
  expect_error({.method = AdapterMethod::prefix}, kLayer, "[adapter] a prefix needs a model of tokens with attention, which this graph is not");
}

}  // namespace
}  // namespace motley
