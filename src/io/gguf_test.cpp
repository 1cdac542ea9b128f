#include "io/gguf.h"

#include <gtest/gtest.h>

namespace motley {
namespace {

TEST(Gguf, Smoke) {
  auto g = GgufFile::open(MOTLEY_SOURCE_DIR "/../shared/data/weights/stories260K/stories260K.gguf");
  for (auto& e : g.entries()) printf("%s %s %lu\n", std::string(e.key).c_str(), name(e.type), e.count);
  for (auto& t : g.tensors()) printf("%s %s\n", std::string(t.name).c_str(), to_string(t.shape).c_str());
}

}  // namespace
}  // namespace motley
