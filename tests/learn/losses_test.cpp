// The first 50 losses of whole models are PyTorch's, from weights and data that both sides draw by formula (tools/learning_reference.py): forward,
// backward, clipping and AdamW together.
#include <gtest/gtest.h>

#include <cmath>

#include "backends/cpu/device.h"
#include "base/file.h"
#include "control/fresh_model.h"
#include "control/learning.h"
#include "io/json.h"
#include "nn/objective.h"

namespace motley {
namespace {

LearningSession::Inputs batch(int64_t vocab, int64_t rows, int64_t length, int64_t step) {
  LearningSession::Inputs in;
  auto token = [&](int64_t row, int64_t at) { return static_cast<int32_t>((row * 7919 + at * 104729 + step * 15485863) % vocab); };
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t at = 0; at < length; ++at) {
      in["tokens"].push_back(token(row, at));
      in["targets"].push_back(token(row, at + 1));
      in["positions"].push_back(static_cast<int32_t>(at));
      in["seq"].push_back(static_cast<int32_t>(row));
    }
  return in;
}

TEST(Losses, TheFirstFiftyArePyTorchs) {
  const std::string path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/learning.json";
  const Json vectors = parse_json(read_file(path, 1 << 20), path);
  for (const Json& c : vectors["cases"]) {
    const std::string name = c["config"]["model_type"].get<std::string>();
    const auto rows = c["rows"].get<int64_t>(), length = c["length"].get<int64_t>();
    const ModelSource source = fresh_model(name, read_config(c["config"], name), 1);
    Builder b({.mode = BuildMode::learn, .tokens = rows * length}, source.types, source.name);
    build_objective(b, source.config, {});
    auto device = make_cpu_device({.threads = 2, .packed = false});
    LearningPrograms programs = compile_learning(b.take(), {}, device->target(), {.update = {.op = Adamw{.decay = 0.1}, .clip = 1, .decays = {}}});
    LearningSession session(std::move(programs), std::move(device),
                            [&](const ProgramState& s) { return source.types(s.name) ? source.load(s.name) : Tensor(); });
    ASSERT_EQ(c["losses"].size(), 50u);
    for (size_t step = 1; step <= 50; ++step) {
      const LossSum sum = session.accumulate(batch(source.config.vocab, rows, length, static_cast<int64_t>(step)), true);
      const double expected = c["losses"][step - 1].get<double>();
      EXPECT_NEAR(sum.loss / sum.weight, expected, 1e-4 * expected) << name << ", step " << step;
      session.update({.rate = c["rate"].get<double>(), .step = static_cast<int64_t>(step), .scale = 1 / sum.weight});
    }
    EXPECT_LT(c["losses"][49].get<double>(), 0.9 * c["losses"][0].get<double>()) << "something is learned";
  }
}

}  // namespace
}  // namespace motley
