// What is learned: the loss and its gradient to every weight are PyTorch's, on the CPU those of the reference, and steps make the loss fall.
#include <algorithm>
#include <cmath>

#include "base/bits.h"
#include "learner.h"
#include "nn/families.h"
#include "nn/objective.h"
#include "passes/autodiff.h"
#include "passes/update.h"
#include "vectors.h"

namespace motley {
namespace {

struct Lesson {
  ModelSource source;
  Graph graph;  // loss, weight and gradients
  Learner::Inputs inputs;
  StateLoader load;
  Json reference;
};

// The texts of a vector file as one batch, `spare` samples and tokens more than they need.
Lesson lesson_of(const std::string& name, int64_t spare = 1) {
  EncoderVector v = encoder_vector(name);
  ModelConfig& c = v.source.config;
  c.dropout = c.head_dropout = 0;
  const bool grid = learns_in_grid(c, c.task), learns_statistics = c.batch_norm;
  // A batch's own statistics count padding, so there is as much as PyTorch had.
  const int64_t samples = static_cast<int64_t>(v.samples.size()) + (learns_statistics ? 0 : spare), room = 8;
  int64_t tokens = grid ? samples * room : 5 * spare;
  for (const Sample& s : v.samples) tokens += grid ? 0 : static_cast<int64_t>(s.tokens.size());

  Lesson lesson;
  lesson.inputs = pack_samples(c, v.samples, {.tokens = tokens, .samples = samples, .grid = grid});
  const Json& answers = v.reference["inputs"];
  const auto first = lesson.inputs["first"];
  const auto count = static_cast<size_t>(samples);
  for (const auto& [key, given] : answers.items()) {
    std::vector<int32_t>& to = lesson.inputs[key];
    if (key == "targets") {
      to.assign(static_cast<size_t>(tokens), kIgnoreTarget);
      for (size_t s = 0; s < given.size(); ++s)
        for (size_t i = 0; i < given[s].size(); ++i) to[static_cast<size_t>(first[s]) + i] = given[s][i].get<int32_t>();
    } else if (key == "values" || key == "value_weights") {
      for (const Json& x : given) to.push_back(bits_of(x.get<float>())[0]);
      to.resize(count * (given.size() / v.samples.size()), 0);
    } else {
      to = given.get<std::vector<int32_t>>();
      to.resize(count, kIgnoreTarget);
    }
  }
  Builder b({.mode = BuildMode::learn, .tokens = tokens}, v.source.types, v.source.name);
  build_objective(b, c, {.task = c.task, .samples = samples});
  lesson.graph = autodiff(b.take(), {});
  lesson.load = [source = v.source](const std::string& state) { return source.types(state) ? read_state(source, state) : Tensor(); };
  lesson.reference = v.reference;
  lesson.source = v.source;
  return lesson;
}

double peak(const std::vector<double>& x) {
  double most = 0;
  for (double v : x) most = std::max(most, std::fabs(v));
  return most;
}

std::vector<std::string> names_that_learn() {
  std::vector<std::string> names;
  for (const std::string& name : encoder_names())
    if (encoder_vector(name).reference.contains("loss")) names.push_back(name);
  return names;
}

class EncodersLearn : public testing::TestWithParam<std::string> {};

TEST_P(EncodersLearn, LossAndGradientsArePyTorchs) {
  Lesson l = lesson_of(GetParam());
  auto reference = learn_by_reference(l.graph, l.load);
  const auto got = reference->step(l.inputs);
  const double loss = l.reference["loss"];
  EXPECT_NEAR(got.at("loss")[0], loss, 1e-6 * (1 + std::fabs(loss)));
  EXPECT_EQ(got.at("weight")[0], l.reference["weight"].get<double>());
  size_t seen = 0;
  for (const auto& [name, expected] : l.reference["gradients"].items()) {
    // States have the names of whole models, files of some models leave the prefix out.
    const auto at = got.find(std::string(kGradientOutput) + name);
    ASSERT_NE(at, got.end()) << name;
    double square = 0, product = 0;
    for (size_t i = 0; i < at->second.size(); ++i) {
      square += at->second[i] * at->second[i];
      product += at->second[i] * std::cos(static_cast<double>(i));
    }
    const double length = expected[0];  // zero for a bias under batch norm, but for the rounding of constants
    EXPECT_NEAR(std::sqrt(square), length, 1e-5 * length + 1e-7) << name;
    EXPECT_NEAR(product, expected[1].get<double>(), 1e-5 * length + 1e-7) << name;
    ++seen;
  }
  EXPECT_EQ(seen, static_cast<size_t>(std::count_if(got.begin(), got.end(), [](const auto& o) { return o.first.starts_with(kGradientOutput); })));
  for (const auto& [name, expected] : l.reference["after"].items()) {
    const auto after = reference->state(name);
    for (size_t i = 0; i < after.size(); ++i) EXPECT_NEAR(after[i], expected[i].get<double>(), 1e-6) << name;
  }
}

TEST_P(EncodersLearn, OnTheCpuAsInTheReference) {
  Lesson l = lesson_of(GetParam());
  auto expected = learn_by_reference(l.graph, l.load)->step(l.inputs), got = learn_on_cpu(l.graph, l.load, 2)->step(l.inputs),
       alone = learn_on_cpu(l.graph, l.load, 1)->step(l.inputs);
  EXPECT_EQ(got, alone) << "the number of threads changes no bit";
  double largest = 0;
  for (const auto& [name, value] : expected) largest = std::max(largest, peak(value));
  for (const auto& [name, value] : expected) {
    ASSERT_EQ(value.size(), got[name].size()) << name;
    // Some hundred roundings on the way, relative to the largest of the tensor; where that is zero by cancelling (a key's bias), to what cancels.
    const double bound = 3e-5 * peak(value) + 2e-7 * largest;
    for (size_t i = 0; i < value.size(); ++i) EXPECT_NEAR(got[name][i], value[i], bound) << name << " element " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EncodersLearn, testing::ValuesIn(names_that_learn()), encoder_test_name);

TEST(EncoderSteps, MakeTheLossFall) {
  for (const char* name : {"bert-classification", "roberta-question", "gru", "cnn", "mlp"}) {
    Lesson l = lesson_of(name);
    auto learner = learn_on_cpu(add_updates(l.graph, {.op = Adamw{}}), l.load, 2);
    double first = 0, last = 0;
    for (int step = 1; step <= 12; ++step) {
      l.inputs["lr"] = bits_of(0.01f), l.inputs["step"] = {step}, l.inputs["scale"] = bits_of(1.0f / 3);
      last = learner->step(l.inputs)["loss"][0];
      if (step == 1) first = last;
    }
    EXPECT_LT(last, 0.8 * first) << name;
  }
}

// An uneven split of a batch gives, in sum, the gradient of the whole.
TEST(EncoderSteps, APartOfABatchAddsItsPart) {
  EncoderVector v = encoder_vector("bert-classification");
  v.source.config.dropout = v.source.config.head_dropout = 0;
  auto gradients_of = [&](size_t begin, size_t count) {
    const auto part = std::span(v.samples).subspan(begin, count);
    StepValues in = pack_samples(v.source.config, part, {});
    for (size_t i = 0; i < count; ++i) in["labels"].push_back(static_cast<int32_t>((begin + i) % 3));
    Builder b({.mode = BuildMode::learn, .tokens = static_cast<int64_t>(in["tokens"].size())}, v.source.types, v.source.name);
    build_objective(b, v.source.config, {.task = Task::classification, .samples = static_cast<int64_t>(count)});
    return learn_by_reference(autodiff(b.take(), {}), [&](const std::string& state) { return read_state(v.source, state); })->step(in);
  };
  auto whole = gradients_of(0, 3), left = gradients_of(0, 1), right = gradients_of(1, 2);
  for (const auto& [name, value] : whole)
    for (size_t i = 0; i < value.size() && name != "logits"; ++i)
      EXPECT_NEAR(value[i], left[name][i] + right[name][i], 1e-10 * (1 + peak(value))) << name;
}

TEST(EncoderSteps, DropoutExistsOnlyWhereTheModelLearns) {
  EncoderVector v = encoder_vector("bert-classification");
  Builder learn({.mode = BuildMode::learn, .tokens = 16}, v.source.types, v.source.name);
  build_objective(learn, v.source.config, {.task = Task::classification, .samples = 3});
  Builder embed({.mode = BuildMode::embed}, v.source.types, v.source.name);
  build_model(embed, v.source.config);
  auto dropouts = [](const Graph& g) {
    return std::count_if(g.nodes.begin(), g.nodes.end(), [](const Node& n) { return std::holds_alternative<Dropout>(n.op); });
  };
  EXPECT_EQ(dropouts(learn.take()), 1 + 2 * 2 + 1);  // embeddings, two in each layer, the head
  EXPECT_EQ(dropouts(embed.take()), 0);
}

}  // namespace
}  // namespace motley
