// Models with an encoder compute what the transformers package computes: logits, the texts of the likeliest tokens and those of beam search.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "io/safetensors.h"
#include "nn/convert.h"
#include "translator.h"

namespace motley {
namespace {

class Seq2Seq : public testing::TestWithParam<std::string> {};

void expect_logits(const std::string& name, StepRunner& runner, const OpenModel& model, double tolerance) {
  const SafetensorsFile expected = SafetensorsFile::open(seq2seq_folder(name) + "/reference.safetensors");
  const Json reference = seq2seq_reference(name);
  for (size_t i = 0; i < reference["sequences"].size(); ++i) {
    const Json& sequence = reference["sequences"][i];
    const auto text = sequence["greedy"].get<std::vector<int32_t>>();
    auto logits = answer_logits(runner, greedy_request(model, sequence["source"], 0), text);
    const Tensor wanted = expected.load("logits." + std::to_string(i));
    ASSERT_EQ(static_cast<int64_t>(logits.size()), wanted.dim(0));
    double off = 0;
    for (size_t row = 0; row < logits.size(); ++row)
      for (size_t v = 0; v < logits[row].size(); ++v)
        off = std::max(off, std::abs(static_cast<double>(logits[row][v] - wanted.data<float>()[row * logits[row].size() + v])));
    EXPECT_LE(off, tolerance) << "a source of " << sequence["source"].size();
  }
}

// In double: what is left is the rounding of stored floats, and of logits on their way out.
TEST_P(Seq2Seq, LogitsOfTheReferenceAreThoseOfTransformers) {
  OpenModel model = open_translator(GetParam());
  ReferenceRunner reference(model.source, model.session->plan());
  expect_logits(GetParam(), reference, model, 2e-5);
}

TEST_P(Seq2Seq, LogitsCompiledForTheCpuToo) {
  OpenModel model = open_translator(GetParam(), {.threads = 2});
  expect_logits(GetParam(), *model.session, model, 2e-4);
}

BeamOptions beams_of(const Json& beam) {
  BeamOptions o{.count = beam["num_beams"], .length_penalty = beam["length_penalty"]};
  if (beam["early_stopping"].is_string())
    o.stop = BeamStop::complete;
  else if (beam["early_stopping"].get<bool>())
    o.stop = BeamStop::early;
  return o;
}

// What transformers forces to come first is part of its text and not of ours.
std::vector<int32_t> written(const Request& r, const Json& text) {
  auto ids = text.get<std::vector<int32_t>>();
  ids.erase(ids.begin(), ids.begin() + r.begun);
  return ids;
}

// All texts at once: what one of them is does not hang on the others.
TEST_P(Seq2Seq, TextsAreThoseOfTransformers) {
  OpenModel model = open_translator(GetParam(), {.threads = 2});
  const Json reference = seq2seq_reference(GetParam());
  const int64_t new_tokens = reference["new_tokens"];
  std::vector<Request> requests;
  std::vector<std::vector<int32_t>> expected;
  for (const Json& sequence : reference["sequences"]) {
    requests.push_back(greedy_request(model, sequence["source"], new_tokens));
    requests.back().max_tokens -= requests.back().begun;
    expected.push_back(written(requests.back(), sequence["greedy"]));
    for (const Json& beam : sequence["beams"]) {
      requests.push_back(requests.front());
      requests.back().source = sequence["source"].get<std::vector<int32_t>>();
      requests.back().beams = beams_of(beam);
      expected.push_back(written(requests.back(), beam["text"]));
    }
  }
  EXPECT_EQ(answers(*model.session, requests), expected);
}

// Pages that hold more or less than a beam forks in.
TEST_P(Seq2Seq, BeamsDoNotDependOnThePages) {
  const Json reference = seq2seq_reference(GetParam());
  const Json& sequence = reference["sequences"].back();
  for (int64_t page_tokens : {1, 4, 7, 16})
    for (int64_t batch_tokens : {3, 64}) {
      OpenModel model = open_translator(GetParam(), {.batch_tokens = batch_tokens, .page_tokens = page_tokens});
      Request r = greedy_request(model, sequence["source"], reference["new_tokens"]);
      r.max_tokens -= r.begun;
      for (const Json& beam : sequence["beams"]) {
        r.beams = beams_of(beam);
        EXPECT_EQ(answers(*model.session, {r})[0], written(r, beam["text"])) << "pages of " << page_tokens << ", steps of " << batch_tokens;
      }
    }
}

TEST_P(Seq2Seq, WhatIsWrittenOfTheConfigurationMeansTheSame) {
  const ModelConfig config = open_translator(GetParam()).source.config;
  EXPECT_EQ(read_config(parse_json(hf_config_text(config, "float32"), "written"), "written"), config);
}

INSTANTIATE_TEST_SUITE_P(All, Seq2Seq, testing::ValuesIn(seq2seq_models()), [](const auto& p) {
  std::string name = p.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace motley
