// A checkpoint turned from Hugging Face files into GGUF, and back, is the same model: the same greedy tokens and logits in either form, and
// after the round trip the same tensors.
#include "nn/convert.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "io/gguf_writer.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/safetensors_writer.h"
#include "model_vectors.h"
#include "reference_model.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(const Tensor& t) { return {t.bytes(), t.size_bytes()}; }

void write_gguf(const fs::path& from, const fs::path& to) {
  const Checkpoint checkpoint = Checkpoint::open(from);
  const ModelConfig config = read_config(checkpoint);
  const WeightMap weights(config, checkpoint);
  const auto plans = plan_tensors(config, weights.types(), weights.path(), CheckpointFormat::gguf);
  const auto made = gguf_rope_tensors(config);
  GgufWriter out(to);
  write_metadata(gguf_metadata(config), out);
  for (const MadeTensor& m : made) out.declare(m.name, m.values.dtype(), m.values.shape());
  for (const TensorPlan& plan : plans) out.declare(plan.name, plan.dtype, plan.shape);
  for (const MadeTensor& m : made) out.write(m.name, bytes_of(m.values));
  for (const TensorPlan& plan : plans) out.write(plan.name, bytes_of(rearrange(plan, weights.load(plan.state))));
  out.commit();
}

void write_hf(const fs::path& from, const fs::path& to) {
  const Checkpoint checkpoint = Checkpoint::open(from);
  const ModelConfig config = read_config(checkpoint);
  const WeightMap weights(config, checkpoint);
  fs::create_directories(to);
  std::ofstream(to / "config.json") << hf_config_text(config, "float32");
  SafetensorsWriter out(to / "model.safetensors");
  const auto plans = plan_tensors(config, weights.types(), weights.path(), CheckpointFormat::hf);
  for (const TensorPlan& plan : plans) out.declare(plan.name, plan.dtype, plan.shape);
  for (const TensorPlan& plan : plans) out.write(plan.name, bytes_of(rearrange(plan, weights.load(plan.state))));
  out.commit();
}

class Conversion : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("motley-convert-" + GetParam() + "-" + std::to_string(getpid()));
    fs::create_directories(folder_);
    write_gguf(kModels / GetParam(), folder_ / "model.gguf");
    write_hf(folder_ / "model.gguf", folder_ / "hf");
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_P(Conversion, GgufComputesTheSame) { expect_reference(GetParam(), folder_ / "model.gguf"); }

TEST_P(Conversion, BackFromGgufComputesTheSame) { expect_reference(GetParam(), folder_ / "hf"); }

TEST_P(Conversion, RoundTripKeepsEveryTensor) {
  const Checkpoint before = Checkpoint::open(kModels / GetParam()), after = Checkpoint::open(folder_ / "hf");
  const ModelConfig config = read_config(before), again = read_config(after);
  const WeightMap old_weights(config, before), new_weights(again, after);
  for (const TensorPlan& plan : plan_tensors(config, old_weights.types(), old_weights.path(), CheckpointFormat::hf)) {
    const RefValue a = reference_value(old_weights.load(plan.state)), b = reference_value(new_weights.load(plan.state));
    ASSERT_EQ(a.shape, b.shape) << plan.name;
    // Adding one to a norm's weight and taking it off again rounds, twice by half a unit in the last place; everything else is moved.
    const double rounding = plan.name.ends_with("norm.weight") ? 0x1p-23 : 0;
    for (size_t i = 0; i < a.data.size(); ++i) ASSERT_NEAR(a.data[i], b.data[i], rounding * (1 + std::abs(a.data[i]))) << plan.name << " at " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Conversion, testing::ValuesIn(model_names()), test_name);

}  // namespace
}  // namespace motley
