// The same weights as other publishers store them: experts stacked in one tensor, a text model inside one that also reads pictures, and
// what a checkpoint must not contain.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "io/json.h"
#include "io/safetensors_writer.h"
#include "model_vectors.h"
#include "nn/families.h"
#include "nn/names.h"
#include "reference_model.h"

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

TEST_F(Variants, AMissingTensorIsNamed) {
  write("llama2", [](auto& tensors) { tensors.erase("model.layers.1.mlp.up_proj.weight"); });
  EXPECT_NE(refusal().find("'model.layers.1.mlp.up_proj.weight' is missing"), std::string::npos) << refusal();
}

TEST_F(Variants, AMissingExpertIsNamed) {
  write("mixtral", [](auto& tensors) { tensors.erase("model.layers.1.block_sparse_moe.experts.2.w3.weight"); });
  EXPECT_NE(refusal().find("'model.layers.1.block_sparse_moe.experts.2.w3.weight' is missing, expected one for each of the 4"), std::string::npos)
      << refusal();
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
