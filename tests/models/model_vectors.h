// tests/data/models: tiny random checkpoints with logits and greedy tokens made by the transformers package in double precision
// (tools/make_model_vectors.py).
#pragma once
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "text_model.h"

namespace motley {

inline const std::filesystem::path kModels = std::filesystem::path(MOTLEY_SOURCE_DIR) / "tests" / "data" / "models";

std::vector<std::string> model_names();
std::string test_name(const testing::TestParamInfo<std::string>& info);

// What is made of the checkpoint at `path` gives the greedy tokens of tests/data/models/<name>, and its logits to `tolerance`.
void expect_reference(const std::string& name, const std::string& path, const MakeModel& make, double tolerance);

// In the reference interpreter, which computes in double: what is left is the rounding of stored floats.
void expect_reference(const std::string& name, const std::string& path);

}  // namespace motley
