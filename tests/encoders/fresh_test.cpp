// Models without a checkpoint: how many weights a config.json asks for, what they begin as, and heads put on models that lack them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/bits.h"
#include "base/error.h"
#include "control/fresh_model.h"
#include "learner.h"
#include "nn/heads.h"
#include "nn/initial.h"
#include "nn/objective.h"
#include "nn/shapes.h"
#include "passes/autodiff.h"
#include "vectors.h"

namespace motley {
namespace {

ModelConfig config_of(const char* text) { return read_config(parse_json(text, "config.json"), "config.json"); }

// 640,000 + 24,960 + 130.
const char* const kGruOfTenThousandWords = R"({"model_type": "text-rnn", "vocab_size": 10000, "embedding_size": 64, "units": 64, "num_labels": 2})";

TEST(Fresh, TheClassicGruHasAsManyParametersAsItShould) { EXPECT_EQ(count_parameters(config_of(kGruOfTenThousandWords)), 665090); }

TEST(Fresh, BertHasThePublishedNumberOfParameters) {
  EXPECT_EQ(count_parameters(with_task(*find_shape("bert-base-cased"), Task::classification, {"no", "yes"})), 108311810);
  ModelConfig bare = with_task(*find_shape("bert-base-uncased"), Task::embedding, {});
  bare.pooling = Pooling::pooler;
  EXPECT_EQ(count_parameters(bare), 109482240);
}

TEST(Fresh, TheClassicGruLearnsOnTheCpuAsInTheReference) {
  ModelSource source = fresh_model("gru", config_of(kGruOfTenThousandWords), 7);
  std::vector<Sample> samples;
  for (int32_t s = 0; s < 3; ++s) {
    samples.emplace_back();
    for (int32_t t = 0; t < 4 + 3 * s; ++t) samples.back().tokens.push_back((s * 991 + t * 7919) % 10000);
  }
  StepValues in = pack_samples(source.config, samples, {.tokens = 48, .samples = 4, .grid = true});
  in["labels"] = {0, 1, 1, kIgnoreTarget};
  Builder b({.mode = BuildMode::learn, .tokens = 48}, source.types, source.name);
  build_objective(b, source.config, {.task = Task::classification, .samples = 4});
  const Graph graph = autodiff(b.take(), {});
  auto expected = learn_by_reference(graph, source.load)->step(in), got = learn_on_cpu(graph, source.load, 2)->step(in);
  for (const auto& [name, value] : expected) {
    ASSERT_EQ(got[name].size(), value.size());
    double off = 0;
    for (size_t i = 0; i < value.size(); ++i) off = std::max(off, std::fabs(value[i] - got[name][i]));
    EXPECT_LE(off, 1e-5) << name;
  }
}

double deviation(const Tensor& t) {
  double sum = 0;
  for (float x : t.data<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum / static_cast<double>(t.size()));
}

TEST(InitialWeights, AreTheSameForTheSameSeedAndNameAndDifferOtherwise) {
  const ModelConfig c = *find_shape("gpt2-124m");
  const Type type{Dtype::f32, {{64}, {64}}};
  auto values = [&](const std::string& name, uint64_t seed) {
    const Tensor t = initial_weight(c, name, type, seed);
    return std::vector<float>(t.data<float>().begin(), t.data<float>().end());
  };
  const std::string name = "transformer.h.0.attn.c_attn.weight";
  EXPECT_EQ(values(name, 1), values(name, 1));
  EXPECT_NE(values(name, 1), values(name, 2));
  EXPECT_NE(values(name, 1), values("transformer.h.1.attn.c_attn.weight", 1));
}

TEST(InitialWeights, HaveTheSizesThatModelsBeginWith) {
  const Type matrix{Dtype::f32, {{256}, {256}}}, vector{Dtype::f32, {{256}}};
  const ModelConfig gpt2 = *find_shape("gpt2-124m"), llama = *find_shape("smollm2-135m"), bert = *find_shape("bert-base-cased"),
                    gru = config_of(kGruOfTenThousandWords);
  ModelConfig gemma = *find_shape("gemma-2-2b");
  EXPECT_NEAR(deviation(initial_weight(gpt2, "transformer.wte.weight", matrix, 3)), 0.02, 0.0005);
  EXPECT_NEAR(deviation(initial_weight(gpt2, "transformer.h.3.mlp.c_proj.weight", matrix, 3)), 0.02 / std::sqrt(24.0), 0.0001);
  EXPECT_NEAR(deviation(initial_weight(llama, "model.layers.0.mlp.down_proj.weight", matrix, 3)), 0.02 / std::sqrt(60.0), 0.0001);
  EXPECT_NEAR(deviation(initial_weight(bert, "bert.encoder.layer.0.output.dense.weight", matrix, 3)), 0.02, 0.0005);
  EXPECT_EQ(deviation(initial_weight(bert, "classifier.bias", vector, 3)), 0);
  EXPECT_EQ(deviation(initial_weight(llama, "model.norm.weight", vector, 3)), 1);
  EXPECT_EQ(deviation(initial_weight(gemma, "model.norm.weight", vector, 3)), 0) << "stored as what is added to one";
  const Tensor w = initial_weight(gru, "rnn.weight_hh_l0", matrix, 3);
  EXPECT_NEAR(deviation(w), 0.125 / std::sqrt(3.0), 0.002);
  for (float x : w.data<float>()) ASSERT_LE(std::fabs(x), 0.125f);
  EXPECT_NEAR(deviation(initial_weight(gru, "rnn.bias_ih_l0", vector, 3)), 0.125 / std::sqrt(3.0), 0.01);
}

TEST(FreshHead, GoesOnWhatWasMadeForAnotherTask) {
  const ModelSource base = encoder_vector("bert-masked").source;
  ModelSource tuned = with_head(base, with_task(base.config, Task::classification, {"a", "b", "c", "d"}), 5);
  EXPECT_EQ(to_string(*tuned.types("classifier.weight")), "f32[4,16]");
  EXPECT_NEAR(deviation(tuned.load("classifier.weight")), 0.02, 0.008);
  EXPECT_NEAR(deviation(tuned.load("bert.pooler.dense.weight")), 0.02, 0.004);
  const std::string own = "bert.encoder.layer.0.output.dense.weight";
  EXPECT_EQ(deviation(tuned.load(own)), deviation(base.load(own)));
  EXPECT_EQ(run_by_reference(tuned, std::vector<Sample>{{{3, 4, 5}, {}}})[0].size(), 4u);
}

TEST(FreshHead, ReplacesOneWithOtherLabelsAndKeepsOneWithAsMany) {
  const ModelSource base = encoder_vector("bert-classification").source;  // 3 labels
  ModelSource other = with_head(base, with_task(base.config, Task::classification, {"a", "b"}), 5),
              same = with_head(base, with_task(base.config, Task::classification, {"x", "y", "z"}), 5);
  EXPECT_EQ(to_string(*other.types("classifier.weight")), "f32[2,16]");
  EXPECT_EQ(deviation(same.load("classifier.weight")), deviation(base.load("classifier.weight")));
  EXPECT_EQ(deviation(other.load("bert.pooler.dense.weight")), deviation(base.load("bert.pooler.dense.weight")));
}

TEST(FreshHead, DecodersClassifyByTheirLastToken) {
  auto path = std::string(MOTLEY_SOURCE_DIR) + "/tests/data/models/llama3";
  const ModelSource base = model_from_checkpoint(std::make_shared<const Checkpoint>(Checkpoint::open(path)));
  ModelSource tuned = with_head(base, with_task(base.config, Task::classification, {"no", "yes"}), 5);
  const auto two = run_by_reference(tuned, std::vector<Sample>{{{3, 4, 5}, {}}, {{9, 4, 5}, {}}});
  EXPECT_EQ(two[0].size(), 2u);
  EXPECT_NE(two[0], two[1]) << "the last token has seen the first";
}

TEST(Heads, WhatAFamilyHasNoHeadForIsRefused) {
  try {
    with_task(*find_shape("gpt2-124m"), Task::question_answering, {});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(std::string(e.what()).find("gpt2 models have no last layer for 'question-answering'; they have one for language-model, embedding, "
                                         "classification"),
              std::string::npos)
        << e.what();
  }
  auto refusal = [](const char* text) {
    try {
      config_of(text);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::file);
      return std::string(e.what());
    }
    return std::string();
  };
  const std::string sizes = R"("model_type": "bert", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                               "vocab_size": 8)";
  EXPECT_NE(refusal(("{" + sizes + R"(, "architectures": ["BertForNextSentencePrediction"]})").c_str()).find("a last layer that is not supported"),
            std::string::npos);
  EXPECT_NE(
      refusal(("{" + sizes + R"(, "architectures": ["BertForSequenceClassification"], "id2label": {"1": "x"}})").c_str()).find("no text for \"0\""),
      std::string::npos);
  EXPECT_NE(refusal(("{" + sizes + R"(, "architectures": ["BertForSequenceClassification"], "num_labels": 0})").c_str()).find("'num_labels' is 0"),
            std::string::npos);
  EXPECT_NE(refusal(("{" + sizes + R"(, "is_decoder": true})").c_str()).find("'is_decoder' is true"), std::string::npos);
  EXPECT_NE(refusal(R"({"model_type": "text-rnn", "vocab_size": 8, "embedding_size": 4, "units": 4, "cell": "rnn"})").find("gru or lstm"),
            std::string::npos);
  EXPECT_NE(refusal(R"({"model_type": "text-cnn", "vocab_size": 8, "embedding_size": 4, "filters": 4, "kernel_sizes": [0]})").find("widths from 1"),
            std::string::npos);
}

}  // namespace
}  // namespace motley
