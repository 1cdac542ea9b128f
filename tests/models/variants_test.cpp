// The same weights as other publishers store them: experts stacked in one tensor, a text model inside one that also reads pictures, and
// what a checkpoint must not contain.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "compiled_model.h"
#include "io/json.h"
#include "io/safetensors_writer.h"
#include "model_vectors.h"
#include "nn/families.h"
#include "nn/names.h"
#include "nn/shapes.h"
#include "nn/weights.h"
#include "reference_model.h"
#include "tensor/half.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

class Variants : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("motley-variants-" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // The checkpoint of a family with its tensors changed, its config.json too where `config` is given.
  void write(const std::string& name, const std::function<void(std::map<std::string, Tensor>&)>& change,
             const std::function<void(Json&)>& edit = {}) {
    const Checkpoint from = Checkpoint::open(kModels / name);
    std::map<std::string, Tensor> tensors;
    for (const CheckpointTensor& t : from.tensors()) tensors[std::string(t.name)] = from.load(t.name);
    change(tensors);
    Json config = from.config();
    if (edit) edit(config);
    std::ofstream(folder_ / "config.json") << config.dump(2);
    SafetensorsWriter out(folder_ / "model.safetensors");
    for (const auto& [key, tensor] : tensors) out.declare(key, tensor.dtype(), tensor.shape());
    for (const auto& [key, tensor] : tensors) out.write(key, {tensor.bytes(), tensor.size_bytes()});
    out.commit();
  }

  std::string refusal() {
    try {
      ReferenceModel model(folder_, 16);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::file);
      return e.what();
    }
    return "";
  }

  fs::path folder_;
};

// Moves `experts` matrices into one [experts, rows, columns], rows of several names on top of each other.
void stack(std::map<std::string, Tensor>& tensors, const std::string& before, int experts, const std::vector<std::string>& parts,
           const std::string& to) {
  Shape shape = {experts, 0, 0};
  std::vector<std::byte> bytes;
  for (int e = 0; e < experts; ++e) {
    shape[1] = 0;
    for (const std::string& part : parts) {
      auto node = tensors.extract(before + std::to_string(e) + "." + part + ".weight");
      const Tensor& t = node.mapped();
      bytes.insert(bytes.end(), t.bytes(), t.bytes() + t.size_bytes());
      shape[1] += t.dim(0);
      shape[2] = t.dim(1);
    }
  }
  Tensor stacked = Tensor::zeros(Dtype::f32, shape);
  ASSERT_EQ(bytes.size(), stacked.size_bytes());
  std::memcpy(stacked.mutable_bytes(), bytes.data(), bytes.size());
  tensors[to] = stacked;
}

TEST_F(Variants, ExpertsStackedInOneTensorOfGateAndUp) {
  write("qwen3-moe", [](auto& tensors) {
    for (int layer = 0; layer < 2; ++layer) {
      const std::string mlp = "model.layers." + std::to_string(layer) + ".mlp.experts.";
      stack(tensors, mlp, 8, {"gate_proj", "up_proj"}, mlp + "gate_up_proj");
      stack(tensors, mlp, 8, {"down_proj"}, mlp + "down_proj");
    }
  });
  expect_reference("qwen3-moe", folder_);
}

TEST_F(Variants, MixtralUnderTheNamesOfTransformers5) {
  write("mixtral", [](auto& tensors) {
    for (int layer = 0; layer < 2; ++layer) {
      const std::string block = "model.layers." + std::to_string(layer) + ".", old = block + "block_sparse_moe.experts.";
      stack(tensors, old, 4, {"w1", "w3"}, block + "mlp.experts.gate_up_proj");
      stack(tensors, old, 4, {"w2"}, block + "mlp.experts.down_proj");
      auto router = tensors.extract(block + "block_sparse_moe.gate.weight");
      router.key() = block + "mlp.gate.weight";
      tensors.insert(std::move(router));
    }
  });
  expect_reference("mixtral", folder_);
}

TEST_F(Variants, TheTextModelOfAPictureReadingGemma) {
  for (const char* prefix : {"language_model.model.", "model.language_model."}) {
    write(
        "gemma3",
        [&](auto& tensors) {
          std::map<std::string, Tensor> renamed;
          for (const auto& [name, tensor] : tensors) renamed[std::string(prefix) + name.substr(std::strlen("model."))] = tensor;
          tensors = renamed;
        },
        [](Json& config) {
          Json text = config;
          text.erase("architectures");
          config = {{"model_type", "gemma3"},
                    {"architectures", {"Gemma3ForConditionalGeneration"}},
                    {"text_config", text},
                    {"vision_config", Json::object()}};
        });
    expect_reference("gemma3", folder_);
  }
}

TEST_F(Variants, WithoutThePrefixOfTheWholeModel) {
  write("qwen2", [](auto& tensors) {
    std::map<std::string, Tensor> renamed;
    for (const auto& [name, tensor] : tensors) renamed[name.starts_with("model.") ? name.substr(6) : name] = tensor;
    tensors = renamed;
  });
  expect_reference("qwen2", folder_);
}

// A matrix as GPTQ stores it, four bits with zero points in the middle, and what that stands for.
struct Packed {
  Tensor words, zeros, scales, meaning;
};
Packed pack_gptq(const Tensor& weight, int64_t group) {
  const int64_t outputs = weight.dim(0), inputs = weight.dim(1), groups = (inputs + group - 1) / group;
  Packed p{Tensor::zeros(Dtype::i32, {inputs / 8, outputs}), Tensor::zeros(Dtype::i32, {groups, outputs / 8}),
           Tensor::zeros(Dtype::f16, {groups, outputs}), Tensor::zeros(Dtype::f32, {outputs, inputs})};
  for (int32_t& word : p.zeros.mutable_data<int32_t>()) word = 0x77777777;  // eight, less one
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t g = 0; g < groups; ++g) {
      const float* x = weight.data<float>().data() + o * inputs;
      float largest = 1e-6f;
      for (int64_t i = g * group; i < std::min(inputs, (g + 1) * group); ++i) largest = std::max(largest, std::fabs(x[i]));
      const uint16_t half = float_to_f16(largest / 7);
      const float scale = f16_to_float(half);
      p.scales.mutable_data<uint16_t>()[static_cast<size_t>(g * outputs + o)] = half;
      for (int64_t i = g * group; i < std::min(inputs, (g + 1) * group); ++i) {
        const int level = std::clamp(static_cast<int>(std::lround(x[i] / scale)), -8, 7);
        auto& word = p.words.mutable_data<int32_t>()[static_cast<size_t>(i / 8 * outputs + o)];
        word = static_cast<int32_t>(static_cast<uint32_t>(word) | static_cast<uint32_t>(level + 8) << (4 * (i % 8)));
        p.meaning.mutable_data<float>()[static_cast<size_t>(o * inputs + i)] = scale * static_cast<float>(level);
      }
    }
  return p;
}

// The experts' second matrices have 16 inputs, half a block: they become F16, which rounds.
TEST_F(Variants, GptqComputesWhatItStandsFor) {
  for (auto [name, tolerance] : {std::pair("llama3", 1e-5), std::pair("qwen3-moe", 5e-3)}) {
    const std::vector<int32_t> tokens = {1, 9, 33, 4, 50, 17, 2, 60};
    std::map<std::string, Packed> packed;
    // Which experts a token gets may turn on the rounding of activations, so it gets all.
    auto all_experts = [&](Json& config) {
      if (config.contains("num_experts")) config["num_experts_per_tok"] = config["num_experts"];
    };
    auto is_packed = [](const std::string& key) { return key.ends_with("_proj.weight"); };
    write(
        name,
        [&](auto& tensors) {
          for (auto& [key, tensor] : tensors)
            if (is_packed(key)) {
              packed[key] = pack_gptq(tensor, 32);
              tensor = packed[key].meaning;
            }
        },
        all_experts);
    const auto expected = ReferenceModel(folder_, 16).step(tokens);
    write(
        name,
        [&](auto& tensors) {
          for (const auto& [key, p] : packed) {
            const std::string owner = key.substr(0, key.size() - std::strlen("weight"));
            tensors.erase(key);
            tensors[owner + "qweight"] = p.words, tensors[owner + "qzeros"] = p.zeros, tensors[owner + "scales"] = p.scales;
          }
        },
        [&](Json& config) {
          all_experts(config);
          config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 32}};
        });
    const auto got = ReferenceModel(folder_, 16).step(tokens), compiled = CompiledModel(folder_, 16).step(tokens);
    double error = 0, size = 0;
    for (size_t t = 0; t < tokens.size(); ++t)
      for (size_t i = 0; i < expected[t].size(); ++i) {
        ASSERT_NEAR(got[t][i], expected[t][i], tolerance) << name;
        error += (compiled[t][i] - expected[t][i]) * (compiled[t][i] - expected[t][i]);
        size += expected[t][i] * expected[t][i];
      }
    EXPECT_LT(std::sqrt(error / size), 0.03) << name << ": more than activations of 8 bits explain";
  }
}

TEST_F(Variants, AMethodThatIsNotReadIsNamed) {
  write(
      "llama2", [](auto&) {},
      [](Json& config) {
        config["quantization_config"] = {{"quant_method", "bitsandbytes"}};
      });
  EXPECT_NE(refusal().find("quantised with 'bitsandbytes', which is not supported; the nearest that is: AWQ or GPTQ"), std::string::npos)
      << refusal();
}

TEST_F(Variants, ATypeThatIsNotReadIsNamed) {
  write("llama2", [](auto&) {});
  std::string file = read_file(folder_ / "model.safetensors", 1 << 24);
  const size_t at = file.find("F32", file.find("\"model.layers.1.mlp.up_proj.weight\""));
  file.replace(at, 3, "U32");
  std::ofstream(folder_ / "model.safetensors", std::ios::binary) << file;
  EXPECT_NE(refusal().find("'model.layers.1.mlp.up_proj.weight' is stored as U32, which is not supported; the nearest that is: BF16, F16 or F32"),
            std::string::npos)
      << refusal();
}

TEST_F(Variants, AMissingTensorIsNamed) {
  write("llama2", [](auto& tensors) { tensors.erase("model.layers.1.mlp.up_proj.weight"); });
  EXPECT_NE(refusal().find("'model.layers.1.mlp.up_proj.weight' is missing"), std::string::npos) << refusal();
}

TEST_F(Variants, AMissingExpertIsNamed) {
  write("mixtral", [](auto& tensors) { tensors.erase("model.layers.1.block_sparse_moe.experts.2.w3.weight"); });
  EXPECT_NE(refusal().find("'model.layers.1.block_sparse_moe.experts.2.w3.weight' is missing, expected one for each of the 4"), std::string::npos)
      << refusal();
}

// Half of a tensor is not a tensor: what is cut from one is read from the file, and a file that ends is an error.
TEST_F(Variants, AFileCutShortWhileInUseIsAnError) {
  write("qwen3-moe", [](auto& tensors) {
    for (int layer = 0; layer < 2; ++layer) {
      const std::string mlp = "model.layers." + std::to_string(layer) + ".mlp.experts.";
      stack(tensors, mlp, 8, {"gate_proj", "up_proj"}, mlp + "gate_up_proj");
    }
  });
  const Checkpoint checkpoint = Checkpoint::open(folder_);
  const ModelConfig config = read_config(checkpoint);
  const WeightMap weights(config, checkpoint);
  fs::resize_file(folder_ / "model.safetensors", 16384);
  int cut = 0;
  for (const NamedType& w : model_weights(config, weights.types(), weights.path())) {
    std::vector<std::byte> bytes(static_cast<size_t>(max_bytes(w.type)));
    try {
      weights.read(w.name, bytes);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::file);
      EXPECT_NE(std::string(e.what()).find(folder_ / "model.safetensors"), std::string::npos) << e.what();
      cut += w.name.find("experts") != std::string::npos;
    }
  }
  EXPECT_EQ(cut, 6);
}

TEST_F(Variants, AnExpertOfAnotherShapeIsNamed) {
  write("mixtral", [](auto& tensors) { tensors["model.layers.0.block_sparse_moe.experts.3.w1.weight"] = Tensor::zeros(Dtype::f32, {32, 16}); });
  EXPECT_NE(refusal().find("'model.layers.0.block_sparse_moe.experts.3.w1.weight' is f32[32,16]"), std::string::npos) << refusal();
}

TEST_F(Variants, ATensorOfAnotherShapeThanTheConfigSaysIsNamed) {
  write(
      "llama2", [](auto&) {}, [](Json& config) { config["intermediate_size"] = 96; });
  EXPECT_NE(refusal().find("'model.layers.0.mlp.gate_proj.weight' should have shape [96,32]"), std::string::npos) << refusal();
}

}  // namespace
}  // namespace motley
