#include "vectors.h"

#include <algorithm>

#include "base/file.h"
#include "nn/families.h"
#include "ops/interpreter.h"

namespace motley {

namespace fs = std::filesystem;

std::vector<std::string> encoder_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kEncoders))
    if (fs::exists(entry.path() / "reference.json")) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

std::string encoder_test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::ranges::replace(name, '-', '_');
  return name;
}

EncoderVector encoder_vector(const std::string& name) {
  EncoderVector v;
  const fs::path folder = kEncoders / name;
  v.source = model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(folder)));
  v.reference = parse_json(read_file(folder / "reference.json", 1 << 20), "reference.json");
  for (const Json& s : v.reference["samples"])
    v.samples.push_back({s["tokens"].get<std::vector<int32_t>>(), s.value("types", std::vector<int32_t>{})});
  v.outputs = v.reference["outputs"].get<std::vector<std::vector<double>>>();
  return v;
}

std::vector<std::vector<double>> run_by_reference(const ModelSource& source, std::span<const Sample> samples) {
  const ModelConfig& c = source.config;
  const bool grid = family_of(c).grid;
  SampleLayout layout{.tokens = 0, .samples = 0, .grid = grid};
  if (grid) layout.samples = static_cast<int64_t>(samples.size()), layout.tokens = layout.samples * c.longest_text();
  const StepValues values = pack_samples(c, samples, layout);
  const auto tokens = static_cast<int64_t>(values.at("tokens").size()), count = static_cast<int64_t>(samples.size());
  Builder b({.mode = BuildMode::embed, .tokens = tokens, .sequences = count, .rows = tokens, .bound = grid}, source.types, source.name);
  build_model(b, c);
  Interpreter interpreter(b.take(), [&](const std::string& state) { return read_state(source, state); });
  const RefValue y = interpreter.run(grid ? Sizes{} : Sizes{.T = tokens, .S = count, .R = tokens}, values).begin()->second;
  const bool per_token = y.shape[0] != count;
  std::vector<std::vector<double>> out;
  for (size_t s = 0; s < samples.size(); ++s) {
    const size_t width = static_cast<size_t>(y.shape.back()), at = per_token ? static_cast<size_t>(values.at("first")[s]) : s,
                 rows = per_token ? samples[s].tokens.size() : 1;
    const auto from = y.data.begin() + static_cast<std::ptrdiff_t>(at * width);
    out.emplace_back(from, from + static_cast<std::ptrdiff_t>(rows * width));
  }
  return out;
}

}  // namespace motley
