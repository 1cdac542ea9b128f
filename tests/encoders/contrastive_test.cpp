// Embeddings learn what PyTorch's do: the loss of samples of two or three texts over all candidates of the batch, and its gradient to every weight,
// with rows of the batch as the data make them.
#include <cmath>

#include "api/step_inputs.h"
#include "base/bits.h"
#include "learner.h"
#include "nn/objective.h"
#include "passes/autodiff.h"
#include "vectors.h"

namespace motley {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

// Samples of texts as one row, with a place for a sample more than there are, and padding.
Batch batch_of(const std::vector<Texts>& samples) {
  Batch b;
  for (size_t s = 0; s < samples.size(); ++s) {
    b.first.push_back(static_cast<int32_t>(b.tokens.size()));
    for (const auto& text : samples[s]) {
      b.labels.push_back(static_cast<float>(text.size()));
      b.tokens.insert(b.tokens.end(), text.begin(), text.end());
      b.seq.resize(b.tokens.size(), static_cast<int32_t>(s));
    }
  }
  b.first.push_back(0);
  b.labels.resize((samples.size() + 1) * samples[0].size(), static_cast<float>(kNoTarget));
  b.tokens.resize(b.tokens.size() + 5, 0), b.seq.resize(b.tokens.size(), -1);
  b.positions.assign(b.tokens.size(), 0), b.targets.assign(b.tokens.size(), kNoTarget);
  return b;
}

BatchShape shape_of(const Batch& b) {
  return {.rows = 1, .length = static_cast<int64_t>(b.tokens.size()), .samples = static_cast<int64_t>(b.first.size())};
}

struct PairLesson {
  EncoderVector vector;
  Json reference;
  int64_t texts = 2, samples = 3;
  Batch batch;
  Graph graph;
  StateLoader load;
};

PairLesson lesson_of(const std::string& name) {
  PairLesson l;
  l.vector = encoder_vector(name);
  l.reference = l.vector.reference["contrastive"];
  ModelConfig& c = l.vector.source.config;
  c.dropout = c.head_dropout = 0;
  l.texts = l.reference["texts"];
  std::vector<Texts> samples(static_cast<size_t>(l.samples));
  for (size_t i = 0; i < l.vector.samples.size(); ++i) samples[i / static_cast<size_t>(l.texts)].push_back(l.vector.samples[i].tokens);
  l.batch = batch_of(samples);
  const BatchShape shape = shape_of(l.batch);
  Builder builder({.mode = BuildMode::learn, .tokens = shape.length}, l.vector.source.types, l.vector.source.name);
  build_objective(
      builder, c,
      {.task = c.task, .samples = shape.samples, .texts = l.texts, .temperature = l.reference["temperature"], .symmetric = l.reference["symmetric"]});
  l.graph = autodiff(builder.take(), {});
  l.load = [source = l.vector.source](const std::string& state) { return source.types(state) ? read_state(source, state) : Tensor(); };
  return l;
}

class PairsLearn : public testing::TestWithParam<std::string> {};

TEST_P(PairsLearn, LossAndGradientsArePyTorchs) {
  PairLesson l = lesson_of(GetParam());
  auto in = step_inputs(l.vector.source.config, {}, shape_of(l.batch), l.batch);
  const int64_t places = l.samples + 1, candidates = (l.texts - 1) * places;
  for (const Json& pair : l.reference["apart"]) {
    const int64_t sample = pair[0], candidate = pair[1], place = candidate / l.samples * places + candidate % l.samples;
    in["apart"][static_cast<size_t>(sample * candidates + place)] = bits_of(kApart)[0];
  }
  const auto got = learn_by_reference(l.graph, l.load)->step(in);
  const double loss = l.reference["loss"];
  EXPECT_NEAR(got.at("loss")[0], loss, 1e-6 * (1 + std::fabs(loss)));
  EXPECT_EQ(got.at("weight")[0], static_cast<double>(l.samples));
  for (const auto& [name, expected] : l.reference["gradients"].items()) {
    const auto at = got.find(std::string(kGradientOutput) + name);
    const auto with_prefix = got.find(std::string(kGradientOutput) + GetParam().substr(0, GetParam().find('-')) + "." + name);
    ASSERT_TRUE(at != got.end() || with_prefix != got.end()) << name;
    const auto& gradient = at != got.end() ? at->second : with_prefix->second;
    double square = 0, product = 0;
    for (size_t i = 0; i < gradient.size(); ++i) {
      square += gradient[i] * gradient[i];
      product += gradient[i] * std::cos(static_cast<double>(i));
    }
    const double length = expected[0];
    EXPECT_NEAR(std::sqrt(square), length, 1e-5 * length + 1e-7) << name;
    EXPECT_NEAR(product, expected[1].get<double>(), 1e-5 * length + 1e-7) << name;
  }
  const auto on_cpu = learn_on_cpu(l.graph, l.load, 2)->step(in), alone = learn_on_cpu(l.graph, l.load, 1)->step(in);
  EXPECT_EQ(on_cpu, alone) << "the number of threads changes no bit";
  EXPECT_NEAR(on_cpu.at("loss")[0], loss, 1e-5 * (1 + std::fabs(loss)));
  for (const auto& [name, value] : got)
    for (size_t i = 0; i < value.size() && name.starts_with(kGradientOutput); ++i)
      ASSERT_NEAR(on_cpu.at(name)[i], value[i], 1e-4 * (1 + std::fabs(value[i]))) << name << " element " << i;
  const std::vector<float> logits(on_cpu.at("logits").begin(), on_cpu.at("logits").end());
  EXPECT_EQ(count_right(l.vector.source.config, {{"logits", logits}}, l.batch), l.reference["right"].get<int64_t>());
}

INSTANTIATE_TEST_SUITE_P(All, PairsLearn, testing::Values("bert-triples", "distilbert-pairs"), encoder_test_name);

// What says the same as a sample's own texts is no wrong answer, nor is the second text of a sample with the same first one.
TEST(Pairs, EqualTextsAreNotHeldAgainstEachOther) {
  const ModelConfig config = encoder_vector("distilbert-pairs").source.config;
  using Rows = std::vector<std::vector<int>>;
  const auto counted = [&](const std::vector<Texts>& samples) {
    const Batch b = batch_of(samples);
    const auto in = step_inputs(config, {}, shape_of(b), b);
    EXPECT_EQ(in.at("labels").back(), kIgnoreTarget) << "no sample is asked for where there is none";
    Rows out;
    for (size_t s = 0; s < samples.size(); ++s) {
      const auto row = in.at("apart").begin() + static_cast<std::ptrdiff_t>(s * (samples.size() + 1));
      EXPECT_NE(row[static_cast<std::ptrdiff_t>(samples.size())], 0) << "and nothing is a candidate";
      out.emplace_back();
      for (size_t c = 0; c < samples.size(); ++c) out.back().push_back(row[static_cast<std::ptrdiff_t>(c)] == 0);
    }
    return out;
  };
  EXPECT_EQ(counted({{{1, 2}, {3}}, {{4}, {5, 6}}, {{7}, {8}}}), Rows(3, {1, 1, 1}));
  EXPECT_EQ(counted({{{1, 2}, {3}}, {{4}, {3}}, {{7}, {8}}}), (Rows{{1, 0, 1}, {0, 1, 1}, {1, 1, 1}})) << "the same second text";
  EXPECT_EQ(counted({{{1, 2}, {3}}, {{4}, {5}}, {{1, 2}, {8}}}), (Rows{{1, 1, 0}, {1, 1, 1}, {0, 1, 1}})) << "the same first text";
  EXPECT_EQ(counted({{{1, 2}, {3}}, {{4}, {1, 2}}, {{7}, {8}}}), (Rows{{1, 0, 1}, {1, 1, 1}, {1, 1, 1}})) << "a first text among the second ones";
}

}  // namespace
}  // namespace motley
