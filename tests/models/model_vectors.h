// tests/data/models: tiny random checkpoints with logits and greedy tokens made by the transformers package in double precision
// (tools/make_model_vectors.py).
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace motley {

inline const std::filesystem::path kModels = std::filesystem::path(MOTLEY_SOURCE_DIR) / "tests" / "data" / "models";

std::vector<std::string> model_names();
std::string test_name(const testing::TestParamInfo<std::string>& info);

// The checkpoint at `path` gives the greedy tokens of tests/data/models/<name>, and its logits.
void expect_reference(const std::string& name, const std::string& path);

}  // namespace motley
