// Every head of every family answers what transformers (or the same module in PyTorch) answers, in the interpreter and compiled; and a text's
// answer does not depend on what it is packed with.
#include <cmath>

#include "api/devices.h"
#include "base/error.h"
#include "control/encode_session.h"
#include "nn/convert.h"
#include "vectors.h"

namespace motley {
namespace {

EncodeSession session_of(const ModelSource& source, const EncodeLimits& limits = {.tokens = 64, .texts = 8}, int threads = 2) {
  return EncodeSession(source, limits, open_device("cpu", {.threads = threads}), {});
}

template <class T>
void expect_outputs(const EncoderVector& v, const std::vector<std::vector<T>>& got, double tolerance) {
  ASSERT_EQ(got.size(), v.outputs.size());
  for (size_t s = 0; s < got.size(); ++s) {
    ASSERT_EQ(got[s].size(), v.outputs[s].size()) << "text " << s;
    for (size_t i = 0; i < got[s].size(); ++i)
      EXPECT_NEAR(static_cast<double>(got[s][i]), v.outputs[s][i], tolerance) << "text " << s << " element " << i;
  }
}

class Encoders : public testing::TestWithParam<std::string> {};

TEST_P(Encoders, TheTaskIsReadFromTheConfig) {
  EncoderVector v = encoder_vector(GetParam());
  EXPECT_EQ(task_name(v.source.config.task), v.reference["task"].get<std::string>());
}

// Constants and settings are floats; the rest is double on both sides.
TEST_P(Encoders, AnswerAsTransformersDoes) {
  EncoderVector v = encoder_vector(GetParam());
  expect_outputs(v, run_by_reference(v.source, v.samples), 1e-6);
}

TEST_P(Encoders, CompiledForTheCpuToo) {
  EncoderVector v = encoder_vector(GetParam());
  expect_outputs(v, session_of(v.source).run(v.samples), 2e-5);
}

TEST_P(Encoders, OneTextAloneAnswersWithTheSameBits) {
  EncoderVector v = encoder_vector(GetParam());
  EncodeSession together = session_of(v.source), one_thread = session_of(v.source, {.tokens = 64, .texts = 8}, 1),
                one_by_one = session_of(v.source, {.tokens = 8, .texts = 1});
  const auto expected = together.run(v.samples);
  EXPECT_EQ(one_thread.run(v.samples), expected);
  EXPECT_EQ(one_by_one.run(v.samples), expected);
}

// What is written is read as the same model.
TEST_P(Encoders, TheConfigSurvivesWritingIt) {
  ModelConfig c = encoder_vector(GetParam()).source.config;
  c.context = 0;
  if (c.task == Task::embedding) c.normalise = false, c.pooling = Pooling::mean;  // said in files of their own
  EXPECT_EQ(read_config(parse_json(hf_config_text(c, "float32"), "written"), "written"), c);
}

INSTANTIATE_TEST_SUITE_P(All, Encoders, testing::ValuesIn(encoder_names()), encoder_test_name);

TEST(EncoderLimits, ATextThatDoesNotFitIsRefusedAndNamed) {
  EncoderVector v = encoder_vector("bert-classification");
  EncodeSession session = session_of(v.source);
  const auto refusal = [&](Sample sample) {
    std::vector<Sample> two = {v.samples[0], std::move(sample)};
    try {
      session.run(two);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::usage);
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(refusal({std::vector<int32_t>(13, 5), {}}).find("text 1 has 13 tokens, expected 1 to 12"), std::string::npos);
  EXPECT_NE(refusal({{}, {}}).find("text 1 has 0 tokens"), std::string::npos);
  EXPECT_NE(refusal({{40}, {}}).find("text 1 holds token 40"), std::string::npos);
  EXPECT_NE(refusal({{5, 5}, {0}}).find("2 tokens and 1 segment numbers"), std::string::npos);
}

TEST(EncoderLimits, ASentenceFolderSaysHowItIsPooledAndHowLongTextsAre) {
  const ModelConfig c = encoder_vector("bert-embedding").source.config;
  EXPECT_EQ(c.pooling, Pooling::mean);
  EXPECT_TRUE(c.normalise);
  EXPECT_EQ(c.longest_text(), 10);
}

}  // namespace
}  // namespace motley
