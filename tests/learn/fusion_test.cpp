// What fusion does on the CPU, whole: products with what follows them are one step that has the bits of the separate ones, a TextCNN has no step of
// batch norm when it is evaluated, and learning keeps updating the statistics that evaluation folds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "backends/cpu/device.h"
#include "base/bits.h"
#include "base/random.h"
#include "control/fresh_model.h"
#include "control/learning.h"
#include "io/json.h"
#include "nn/objective.h"
#include "nn/samples.h"
#include "ops/builder.h"
#include "passes/pipeline.h"
#include "tiny_model.h"

namespace motley {
namespace {

std::vector<float> numbers(const std::string& name, size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) values.push_back(philox_normal(8, stream_of(name), i));
  return values;
}

struct Outcome {
  Program program;
  std::vector<std::vector<float>> outputs;
};

// One step on the CPU; inputs and states that are not given are drawn by their names.
Outcome run(const Graph& graph, const std::set<std::string>& skip, std::map<std::string, std::vector<float>> given = {}) {
  auto device = make_cpu_device({.threads = 2, .packed = false});
  Outcome r{compile(graph, device->target(), {.token_ranges = {}, .skip = skip, .after = {}}).programs[0], {}};
  for (const ProgramState& s : r.program.states) {
    const auto values = numbers(s.name, static_cast<size_t>(max_elements(s.type.shape)));
    device->upload(s.name, s.type, s.layout, {.read = [&](uint64_t at, std::span<std::byte> to) {
                     std::memcpy(to.data(), std::as_bytes(std::span(values)).data() + at, to.size());
                   }});
  }
  std::vector<std::vector<int32_t>> words;
  for (const ProgramInput& i : r.program.inputs) {
    auto it = given.find(i.name);
    words.push_back(bits_of(it != given.end() ? it->second : numbers(i.name, static_cast<size_t>(max_elements(i.type.shape)))));
  }
  std::vector<std::span<const int32_t>> in(words.begin(), words.end());
  for (const ProgramOutput& o : r.program.outputs)
    r.outputs.emplace_back(static_cast<size_t>(max_elements(r.program.buffers[static_cast<size_t>(o.buffer)].type.shape)));
  std::vector<std::span<float>> out(r.outputs.begin(), r.outputs.end());
  device->prepare(r.program)->run({}, in, out);
  return r;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(FusedProducts, AreOneStepWithTheBitsOfTheSeparateOnes) {
  for (int64_t rows : {5, 300})  // by either product
    for (Activation kind : {Activation::gelu, Activation::gelu_tanh, Activation::silu, Activation::relu}) {
      Builder b({.mode = BuildMode::learn, .tokens = rows}, [](const std::string&) { return Type{Dtype::f32, {}}; });
      Value x = b.step_input("x", {Dtype::f32, {{rows}, {70}}}), c = b.step_input("c", {Dtype::f32, {{rows}, {130}}});
      Value u = b.add(b.mul(b.matmul(x, b.weight("w", {130, 70})), b.scalar(0.3f)), b.weight("bias", {130}));
      b.output(b.add(b.act(kind, u), c), "y");
      Graph graph = b.take();
      Outcome fused = run(graph, {}), separate = run(graph, {"fuse"});
      EXPECT_EQ(fused.program.steps.size(), 1u);
      EXPECT_EQ(separate.program.steps.size(), 5u);
      EXPECT_LT(fused.program.arena_bytes, separate.program.arena_bytes);
      EXPECT_TRUE(same_bits(fused.outputs[0], separate.outputs[0])) << rows << " rows";
    }
}

TEST(FusedProducts, KeepWhatLearningReadsAgain) {
  Builder b({.mode = BuildMode::learn, .tokens = 40}, [](const std::string&) { return Type{Dtype::f32, {}}; });
  Value x = b.step_input("x", {Dtype::f32, {{40}, {70}}}), dy = b.step_input("dy", {Dtype::f32, {{40}, {130}}});
  Value u = b.add(b.matmul(x, b.weight("w", {130, 70})), b.weight("bias", {130}));
  b.output(b.act(Activation::gelu_tanh, u), "y");
  b.output(b.emit(ActGrad{Activation::gelu_tanh}, {u, b.add(dy, b.scalar(0))}), "du");
  Graph graph = b.take();
  Outcome fused = run(graph, {}), separate = run(graph, {"fuse"});
  EXPECT_LT(fused.program.steps.size(), separate.program.steps.size());
  for (size_t i : {0, 1}) EXPECT_TRUE(same_bits(fused.outputs[i], separate.outputs[i])) << i;
}

Graph pooled(Activation kind) {
  Builder b({.mode = BuildMode::learn, .tokens = 8}, {});
  Value x = b.step_input("x", {Dtype::f32, {{2}, {6}, {20}}});
  b.output(b.emit(Pool{.kind = PoolKind::max, .kernel = 3, .stride = 1, .padding = 1}, {b.act(kind, x)}), "y");
  return b.take();
}

TEST(ActivationAndPooling, AreOneStepWithTheSameBits) {
  auto x = numbers("x", 240);
  x[3] = std::numeric_limits<float>::quiet_NaN(), x[100] = std::numeric_limits<float>::infinity(), x[101] = -std::numeric_limits<float>::infinity();
  for (size_t i = 120; i < 240; ++i) x[i] = i % 3 == 0 ? -0.0f : -std::fabs(x[i]);  // nothing above zero, and zeros of both signs
  Outcome fused = run(pooled(Activation::relu), {}, {{"x", x}}), separate = run(pooled(Activation::relu), {"fold"}, {{"x", x}});
  EXPECT_EQ(fused.program.steps.size(), 1u);
  EXPECT_EQ(separate.program.steps.size(), 2u);
  EXPECT_TRUE(same_bits(fused.outputs[0], separate.outputs[0]));
  // One step of the sequence that is no number spoils the windows it is in, of its channel alone.
  for (size_t window = 0; window < 6; ++window)
    for (size_t channel = 0; channel < 20; ++channel)
      EXPECT_EQ(std::isnan(fused.outputs[0][window * 20 + channel]), channel == 3 && window <= 1) << window << " " << channel;
  EXPECT_EQ(run(pooled(Activation::gelu), {}).program.steps.size(), 2u) << "what falls is not swapped";
}

// ---- a TextCNN

constexpr const char* kCnn = R"({"model_type": "text-cnn", "vocab_size": 50, "embedding_size": 12, "filters": 20, "kernel_sizes": [2, 3],
  "batch_norm": true, "max_tokens": 16, "num_labels": 3})";

Graph cnn(const ModelSource& source, bool training) {
  Builder b({.mode = BuildMode::learn, .tokens = 64, .training = training}, source.types, source.name);
  build_objective(b, source.config, {.task = Task::classification, .samples = 4});
  return b.take();
}

LearningSession::Inputs texts(const ModelConfig& config) {
  std::vector<Sample> samples(4);
  for (size_t s = 0; s < 4; ++s)
    for (size_t t = 0; t < 5 + 3 * s; ++t) samples[s].tokens.push_back(static_cast<int32_t>((s * 17 + t * 7) % 50));
  LearningSession::Inputs in = pack_samples(config, samples, {.tokens = 64, .samples = 4, .grid = true});
  in["labels"] = {0, 1, 2, 1};
  return in;
}

TEST(TextCnn, IsEvaluatedWithoutBatchNormAndKeepsLearningItsStatistics) {
  const ModelSource source = fresh_model("cnn", read_config(parse_json(kCnn, "config.json"), "config.json"), 3);
  const auto in = texts(source.config);
  std::vector<std::vector<float>> logits;
  for (const std::set<std::string>& skip : {std::set<std::string>{}, {"fold"}}) {
    auto device = make_cpu_device({.threads = 2, .packed = false});
    LearningOptions options;
    options.update = {.op = Sgd{}, .decays = {}};
    options.skip = skip;
    LearningPrograms programs = compile_learning(cnn(source, true), cnn(source, false), device->target(), options);
    // Steps as large as a convolution's result beside the product that makes it: of batch norm, unless it is folded.
    size_t large = 0;
    for (const Step& s : programs.evaluate.steps)
      for (int out : s.out) {
        const Type& t = programs.evaluate.buffers[static_cast<size_t>(out)].type;
        large +=
            t.rank() == 3 && t.dim(-1) == Dim{20} && t.dim(1).n >= 16 && s.name.starts_with("norms.") && !std::holds_alternative<FusedMatmul>(s.op);
      }
    if (skip.empty())
      EXPECT_EQ(large, 0u);
    else
      EXPECT_GT(large, 0u);
    size_t statistics = 0;  // in learning they are those of the batch
    for (const Step& s : programs.first.steps) statistics += s.name.starts_with("norms.") && std::holds_alternative<Mean>(s.op);
    EXPECT_GT(statistics, 0u);

    LearningSession session(std::move(programs), std::move(device), [&](const ProgramState& s) { return source.load(s.name); });
    auto mean = [&] {
      const Tensor t = session.read("norms.0.running_mean");
      return std::vector<float>(t.data<float>().begin(), t.data<float>().end());
    };
    const auto before = mean();
    for (int64_t step = 1; step <= 3; ++step) {
      LossSum loss = session.accumulate(in, true);
      session.update({.rate = 0.1, .step = step, .scale = 1 / loss.weight});
    }
    const auto after = mean();
    EXPECT_NE(before, after) << "running statistics follow the batches";
    logits.push_back(session.evaluate(in).at("logits"));
    EXPECT_EQ(mean(), after) << "evaluation changes nothing";
  }
  ASSERT_EQ(logits[0].size(), 12u);
  for (size_t i = 0; i < 12; ++i) EXPECT_NEAR(static_cast<double>(logits[0][i]), static_cast<double>(logits[1][i]), 1e-5);
}

}  // namespace
}  // namespace motley
