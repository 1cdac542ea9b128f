#include "nn/names.h"

#include <gtest/gtest.h>

#include "nn/families_list.h"
#include "nn/shapes.h"

namespace motley {
namespace {

TEST(Names, GoBothWays) {
  EXPECT_EQ(gguf_name(kLlama, "model.layers.12.self_attn.q_proj.weight"), "blk.12.attn_q.weight");
  EXPECT_EQ(gguf_name(kLlama, "model.layers.0.self_attn.q_proj.bias"), "blk.0.attn_q.bias");
  EXPECT_EQ(gguf_name(kGemma2, "model.layers.3.pre_feedforward_layernorm.weight"), "blk.3.ffn_norm.weight");
  EXPECT_EQ(gguf_name(kGpt2, "transformer.wpe.weight"), "position_embd.weight");
  EXPECT_EQ(hf_name(kMixtral, "blk.7.ffn_down_exps.weight"), "model.layers.7.block_sparse_moe.experts.w2.weight");
  EXPECT_EQ(gguf_name(kLlama, "model.layers.x.self_attn.q_proj.weight"), std::nullopt);
  EXPECT_EQ(gguf_name(kLlama, "model.layers..self_attn.q_proj.weight"), std::nullopt);
  EXPECT_EQ(hf_name(kLlama, "rope_freqs.weight"), std::nullopt);
}

// Every state of every known shape has a GGUF name, which leads back to it; but for families that GGUF files are not read of.
TEST(Names, CoverEveryStateOfEveryFamily) {
  for (std::string_view shape : shape_names()) {
    ModelConfig config = *find_shape(shape);
    if (family_of(config).gguf.empty()) continue;
    for (const NamedType& weight : model_weights(config)) {
      auto gguf = gguf_name(family_of(config), weight.name);
      ASSERT_TRUE(gguf) << shape << " " << weight.name;
      EXPECT_EQ(hf_name(family_of(config), *gguf), weight.name) << shape;
    }
  }
}

TEST(Names, ExpertsOfEitherSpelling) {
  auto w3 = expert_state("model.layers.4.block_sparse_moe.experts.w3.weight");
  ASSERT_TRUE(w3);
  EXPECT_EQ(w3->part, ExpertState::up);
  EXPECT_EQ(w3->before + "5" + w3->after, "model.layers.4.block_sparse_moe.experts.5.w3.weight");
  EXPECT_EQ(w3->fused, "model.layers.4.mlp.experts.gate_up_proj");
  EXPECT_EQ(expert_state("model.layers.4.mlp.experts.down_proj.weight")->fused, "model.layers.4.mlp.experts.down_proj");
  EXPECT_FALSE(expert_state("model.layers.4.mlp.gate.weight"));
}

}  // namespace
}  // namespace motley
