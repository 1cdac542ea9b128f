#include "model_vectors.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "reference_model.h"

namespace motley {

namespace fs = std::filesystem;

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kModels))
    if (fs::exists(entry.path() / "reference.json")) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

void expect_reference(const std::string& name, const std::string& path) {
  expect_reference(
      name, path, [](const std::string& p, int64_t context) { return std::make_unique<ReferenceModel>(p, context); }, 2e-5);
}

void expect_reference(const std::string& name, const std::string& path, const MakeModel& make, double tolerance) {
  const fs::path folder = kModels / name;
  const Json reference = parse_json(read_file(folder / "reference.json", 1 << 20), "reference.json");
  const SafetensorsFile expected = SafetensorsFile::open(folder / "reference.safetensors");
  for (const Json& sequence : reference["sequences"]) {
    auto model = make(path, sequence["context"]);
    std::vector<std::vector<double>> logits;
    const auto prompt = sequence["prompt"].get<std::vector<int32_t>>();
    const auto tokens = sequence["greedy"].get<std::vector<int32_t>>();
    EXPECT_EQ(greedy(*model, prompt, tokens.size(), logits), tokens) << "prompt of " << prompt.size();

    const Tensor wanted = expected.load(sequence["logits"]["tensor"].get<std::string>());
    const size_t first = sequence["logits"]["first_position"], vocab = static_cast<size_t>(wanted.dim(1));
    const auto values = wanted.data<float>();
    double off = 0;
    for (size_t row = 0; row < static_cast<size_t>(wanted.dim(0)); ++row)
      for (size_t i = 0; i < vocab; ++i) off = std::max(off, std::abs(logits.at(first + row).at(i) - values[row * vocab + i]));
    EXPECT_LE(off, tolerance) << "prompt of " << prompt.size();
  }
}

}  // namespace motley
