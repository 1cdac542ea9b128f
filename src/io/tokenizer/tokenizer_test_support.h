// Where the tests find files: shared/data beside the repository (or in MOTLEY_SHARED), and the project's own vectors.
//
//   std::string path = shared("tokenizers/gpt2/vocab.json");
//   if (path.empty()) GTEST_SKIP() << "needs shared/data/tokenizers/gpt2/vocab.json";
#pragma once
#include <cstdlib>
#include <string>

#include "base/file.h"

namespace motley {

inline std::string shared(const std::string& inside_data) {
  const char* root = std::getenv("MOTLEY_SHARED");
  std::string path = (root ? std::string(root) : std::string(MOTLEY_SOURCE_DIR) + "/../shared") + "/data/" + inside_data;
  return file_exists(path) || folder_exists(path) ? path : "";
}

inline std::string own_vectors(const std::string& name) { return std::string(MOTLEY_SOURCE_DIR) + "/tests/data/tokenizers/" + name; }

}  // namespace motley

// The path in variable, or this test is skipped.
#define MOTLEY_NEEDS(variable, inside_data)         \
  const std::string variable = shared(inside_data); \
  if (variable.empty()) GTEST_SKIP() << "needs shared/data/" << inside_data
