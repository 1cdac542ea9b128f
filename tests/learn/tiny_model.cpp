#include "tiny_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "nn/families.h"
#include "ops/builder.h"

namespace motley {

ModelSource source_of(const std::string& name) {
  auto path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/models/" + name;
  return model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(path)));
}

Graph learning_model(const ModelSource& source, int64_t tokens) {
  Builder model({.mode = BuildMode::learn, .tokens = tokens}, source.types, source.name);
  build_model(model, source.config);
  return model.take();
}

Graph with_loss(Graph graph, int64_t tokens) {
  Value logits = graph.outputs[0].value;
  graph.outputs.clear();
  Builder b(std::move(graph));
  auto results = b.emit_all(CrossEntropy{}, {logits, b.step_input("targets", {Dtype::i32, {{tokens}}})});
  b.output(results[0], "loss");
  b.output(results[1], "weight");
  return b.take();
}

Graph objective(const ModelSource& source, int64_t tokens) { return with_loss(learning_model(source, tokens), tokens); }

Learner::Inputs batch(const ModelSource& source, int64_t first, int64_t tokens) {
  Learner::Inputs in;
  for (int64_t i = first; i < first + tokens; ++i) {
    auto t = static_cast<int32_t>(i);
    int32_t begin = t < 13 ? 0 : 13;
    bool padding = t >= 21;
    in["tokens"].push_back(static_cast<int32_t>((7 * t + 3) % source.config.vocab));
    in["targets"].push_back(padding || t % 5 == 4 ? kIgnoreTarget : static_cast<int32_t>((11 * t + 5) % source.config.vocab));
    in["positions"].push_back(padding ? 0 : t - begin);
    in["seq"].push_back(padding ? -1 : begin);
  }
  return in;
}

double peak(const std::vector<double>& x) {
  double most = 0;
  for (double v : x) most = std::max(most, std::fabs(v));
  return most;
}

double distance(const std::vector<double>& x, const std::vector<double>& y) {
  EXPECT_EQ(x.size(), y.size());
  double most = 0;
  for (size_t i = 0; i < std::min(x.size(), y.size()); ++i) most = std::max(most, std::fabs(x[i] - y[i]));
  return most;
}

}  // namespace motley
