// Every family computes what the transformers package computes.
#include <gtest/gtest.h>

#include "base/file.h"
#include "compiled_model.h"
#include "io/json.h"
#include "model_vectors.h"
#include "nn/config.h"

namespace motley {
namespace {

class Families : public testing::TestWithParam<std::string> {};

TEST_P(Families, LogitsAndGreedyTokensAreThoseOfTransformers) { expect_reference(GetParam(), kModels / GetParam()); }

// In FP32 with an FP32 cache, compiled for this machine's best instruction set.
TEST_P(Families, CompiledForTheCpuToo) {
  expect_reference(
      GetParam(), kModels / GetParam(), [](const std::string& path, int64_t context) { return std::make_unique<CompiledModel>(path, context); },
      2e-4);
}

TEST_P(Families, BothWaysToWriteTheConfigMeanTheSame) {
  auto read = [&](const char* name) { return read_config(parse_json(read_file(kModels / GetParam() / name, 1 << 20), name), name); };
  EXPECT_EQ(read("config.json"), read("config.v5.json"));
}

INSTANTIATE_TEST_SUITE_P(All, Families, testing::ValuesIn(model_names()), test_name);

}  // namespace
}  // namespace motley
