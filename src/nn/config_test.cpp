#include "nn/config.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "io/json.h"
#include "nn/families.h"
#include "nn/other_architectures.h"

namespace motley {
namespace {

const char* const kSmall = R"({"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
                              "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 64, "max_position_embeddings": 128})";

Json small(const char* changes = "{}") {
  Json config = parse_json(kSmall, "config.json");
  const Json other = parse_json(changes, "changes");
  for (const auto& [key, value] : other.items()) {
    if (value == "absent") {
      config.erase(key);
    } else {
      config[key] = value;
    }
  }
  return config;
}

std::string refusal(const char* changes) {
  try {
    read_config(small(changes), "config.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::file) << e.what();
    return e.what();
  }
  return "";
}

TEST(Config, SilentKeysTakeTheFamilysDefaults) {
  ModelConfig c = read_config(small(), "config.json");
  EXPECT_EQ(c.family, "llama");
  EXPECT_EQ(c.head_dim, 8);
  EXPECT_EQ(c.rope.dims, 8);
  EXPECT_EQ(c.rope.theta, 10000);
  EXPECT_FLOAT_EQ(c.norm_eps, 1e-6f);
  EXPECT_FALSE(c.tied);
  EXPECT_DOUBLE_EQ(c.attention_scale, 1 / std::sqrt(8.0));
  EXPECT_EQ(c.windows, (std::vector<int64_t>{0, 0}));
}

TEST(Config, OneEndTokenOrSeveral) {
  EXPECT_EQ(read_config(small(R"({"eos_token_id": 2})"), "").eos, (std::vector<int64_t>{2}));
  EXPECT_EQ(read_config(small(R"({"eos_token_id": [2, 5]})"), "").eos, (std::vector<int64_t>{2, 5}));
  EXPECT_TRUE(read_config(small(R"({"eos_token_id": null})"), "").eos.empty());
}

TEST(Config, MistralsWindowIsNamedNullOrTheDefault) {
  auto window = [](const char* changes) { return read_config(small(changes), "config.json").window(1); };
  EXPECT_EQ(window(R"({"model_type": "mistral", "sliding_window": 8})"), 8);
  EXPECT_EQ(window(R"({"model_type": "mistral", "sliding_window": null})"), 0);
  EXPECT_EQ(window(R"({"model_type": "mistral"})"), 4096);
}

TEST(Config, TheTextModelOfAPictureReadingGemmaFillsInWhatItsFileLeavesOut) {
  Json config = parse_json(R"({"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106],
                               "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27},
                               "text_config": {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
                                               "num_hidden_layers": 34, "sliding_window": 1024,
                                               "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}})",
                           "config.json");
  ModelConfig c = read_config(config, "config.json");
  EXPECT_EQ(c.family, "gemma3");
  EXPECT_EQ(c.hidden, 2560);
  EXPECT_EQ(c.heads, 8);
  EXPECT_EQ(c.kv_heads, 4);
  EXPECT_EQ(c.head_dim, 256);
  EXPECT_EQ(c.vocab, 262208);
  EXPECT_EQ(c.eos, (std::vector<int64_t>{1, 106}));
  EXPECT_EQ(c.window(4), 1024);
  EXPECT_EQ(c.window(5), 0);
  EXPECT_EQ(c.rope.factor, 8);
  EXPECT_EQ(c.rope.theta, 1e6);
  EXPECT_EQ(c.window_rope->scaling, RopeScaling::none);
  EXPECT_EQ(c.window_rope->theta, 1e4);
}

TEST(Config, AnUnknownArchitectureIsRefusedWithTheNearestAndAll) {
  std::string message = refusal(R"({"model_type": "qwen4"})");
  EXPECT_NE(message.find("'qwen4'"), std::string::npos) << message;
  EXPECT_NE(message.find("the nearest is 'qwen"), std::string::npos) << message;
  for (const Family* family : families()) EXPECT_NE(message.find(family->model_types[0]), std::string::npos) << message;
  message = refusal(R"({"model_type": "absent", "architectures": ["LlamaForCausalML"]})");
  EXPECT_NE(message.find("'LlamaForCausalLM'"), std::string::npos) << message;
  EXPECT_EQ(read_config(small(R"({"model_type": "absent", "architectures": ["Qwen3ForCausalLM"]})"), "").family, "qwen3");
}

TEST(Config, KnownArchitecturesWithoutAFamilySayWhatIsDifferent) {
  for (auto [changes, expected] : {std::pair(R"({"model_type": "deepseek_v3"})", "compressed keys and values (the nearest is 'qwen3-moe')"),
                                   std::pair(R"({"model_type": "gpt_oss"})", "has sinks and its experts have biases (the nearest is 'mixtral')"),
                                   std::pair(R"({"model_type": "phi"})", "side by side (the nearest is 'phi3')"),
                                   std::pair(R"({"model_type": "absent", "architectures": ["MambaForCausalLM"]})", "its layers are recurrent")}) {
    std::string message = refusal(changes);
    EXPECT_NE(message.find(expected), std::string::npos) << message;
    EXPECT_NE(message.find("; supported are "), std::string::npos) << message;
  }
  for (const OtherArchitecture& other : other_architectures()) {
    EXPECT_TRUE(find_family(other.nearest)) << other.name;
    EXPECT_FALSE(find_family(other.name)) << other.name << " is a family now";
    EXPECT_EQ(find_other_architecture(other.name.ends_with('*') ? other.name.substr(0, other.name.size() - 1) : other.name), &other)
        << other.name << " comes after a row that fits it too";
  }
  EXPECT_EQ(find_other_architecture("qwen4"), nullptr);
}

TEST(Config, ValuesOutOfRangeAreNamed) {
  struct Case {
    const char *changes, *expected;
  };
  const Case cases[] = {
      {R"({"num_hidden_layers": 0})", "'num_hidden_layers' is 0"},
      {R"({"num_hidden_layers": 99999999})", "'num_hidden_layers' is 99999999, expected a whole number from 1 to"},
      {R"({"num_hidden_layers": -2})", "'num_hidden_layers' is -2"},
      {R"({"num_hidden_layers": "absent"})", "'num_hidden_layers' is missing"},
      {R"({"num_hidden_layers": "two"})", "num_hidden_layers"},
      {R"({"num_hidden_layers": 1e300})", "num_hidden_layers"},
      {R"({"hidden_size": 4611686018427387904})", "'hidden_size' is 4611686018427387904"},
      {R"({"hidden_size": 33})", "'num_attention_heads' is 4, expected a divisor of the 33 channels"},
      {R"({"num_key_value_heads": 3})", "4 heads cannot share 3 key-value heads"},
      {R"({"num_key_value_heads": 8})", "the number of key-value heads is 8"},
      {R"({"head_dim": 7})", "7 elements of each head turn, expected an even number"},
      {R"({"model_type": "gpt_neox", "num_key_value_heads": 4, "rotary_pct": 0})", "0 elements of each head turn"},
      {R"({"vocab_size": 1099511627776})", "'vocab_size' is 1099511627776"},
      {R"({"rms_norm_eps": 0})", "'rms_norm_eps' is 0"},
      {R"({"rms_norm_eps": -1})", "'rms_norm_eps' is -1"},
      {R"({"rope_theta": 0})", "'rope_theta' is 0"},
      {R"({"hidden_act": "mish"})", "'hidden_act' is mish, expected one of silu"},
      {R"({"eos_token_id": [-4]})", "'eos_token_id' is -4"},
      {R"({"eos_token_id": ["</s>"]})", "'eos_token_id' is a list with string"},
      {R"({"rope_scaling": 3})", "'rope_scaling' is number, expected an object"},
      {R"({"rope_scaling": {"rope_type": "mrope"}})", "'rope_type' is mrope, expected one of default, linear"},
      {R"({"rope_scaling": {"rope_type": "linear"}})", "'factor' is missing"},
      {R"({"rope_scaling": {"rope_type": "linear", "factor": 0}})", "'factor' is 0"},
      {R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}})", "more than low_freq_factor"},
      {R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1, 1], "long_factor": [1, 1, 1, 1]}})", "has 2 entries, expected 4"},
      {R"({"rope_scaling": {"rope_type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": [1, 0, 1, 1]}})", "contains 0"},
      {R"({"rope_scaling": {"rope_type": "longrope", "original_max_position_embeddings": 1}})", "'original_max_position_embeddings' is 1"},
      {R"({"model_type": "gpt_neox", "num_key_value_heads": 4, "head_dim": 16})", "channels do not divide into"},
      {R"({"model_type": "qwen2", "layer_types": ["full_attention"]})", "'layer_types' is a list of 1, expected one entry for each of the 2"},
      {R"({"model_type": "qwen2", "layer_types": ["full_attention", "linear_attention"]})", "'layer_types' is linear_attention"},
      {R"({"model_type": "mixtral", "num_experts_per_tok": 9})", "the number of experts for each token is 9, expected a number from 1 to 8"},
      {R"({"model_type": "qwen3_moe", "mlp_only_layers": [-1]})", "'mlp_only_layers' is -1"},
      {R"({"quantization_config": {"quant_method": "bitsandbytes"}})",
       "quantised with 'bitsandbytes', which is not supported; the nearest that is: AWQ"},
      {R"({"quantization_config": {}})", "quantised with 'an unnamed method'"},
      {R"({"quantization_config": {"quant_method": "gptq", "bits": 5}})", "GPTQ of 5 bits"},
      {R"({"quantization_config": {"quant_method": "gptq", "group_size": -2}})", "'group_size' is -2"},
      {R"({"quantization_config": {"quant_method": "gptq", "checkpoint_format": "marlin"}})", "in the format 'marlin'"},
      {R"({"quantization_config": {"quant_method": "gptq", "dynamic": {"+:.*": {"bits": 8}}}})", "'dynamic' rules"},
      {R"({"quantization_config": {"quant_method": "awq", "version": "gemv"}})", "in the layout 'gemv'"},
      {R"({"quantization_config": {"quant_method": "awq", "bits": "four"}})", "'bits'"},
      {R"({"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 0]}})", "'weight_block_size' has a number"},
      {R"({"quantization_config": {"quant_method": "fp8", "weight_block_size": 128}})", "should be two whole numbers"},
      {R"({"quantization_config": {"quant_method": "compressed-tensors", "format": "pack-quantized"}})", "AWQ or GPTQ with as many bits"},
      {R"({"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}})", "'modelopt' with 'NVFP4'"},
      {R"({"model_type": "gpt2", "quantization_config": {"quant_method": "gptq", "bits": 4}})", "a gpt2 model in AWQ or GPTQ"},
  };
  for (const Case& c : cases) EXPECT_NE(refusal(c.changes).find(c.expected), std::string::npos) << c.changes << "\n" << refusal(c.changes);
  EXPECT_THROW(read_config(Json::array(), "config.json"), Error);
}

}  // namespace
}  // namespace motley
