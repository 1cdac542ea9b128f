// A text has the same bits whatever else is in the step, however its answer was cut, and whatever the number of threads: with an encoder too.
#include <gtest/gtest.h>

#include <cctype>
#include <cstring>

#include "base/random.h"
#include "translator.h"

namespace motley {
namespace {

class Seq2SeqInvariance : public testing::TestWithParam<std::string> {};

std::vector<int32_t> some_tokens(int length, uint64_t seed) {
  std::vector<int32_t> out;
  for (int i = 0; i < length; ++i) out.push_back(static_cast<int32_t>(3 + philox(seed, 0, static_cast<uint64_t>(i)) % 60));
  return out;
}

TEST_P(Seq2SeqInvariance, ChunksThreadsAndNeighboursChangeNoBit) {
  const std::vector<int32_t> source = some_tokens(41, 1), answer = some_tokens(37, 2);
  for (Dtype kv : {Dtype::f32, Dtype::f16}) {
    auto logits = [&](const TranslatorOptions& options) {
      OpenModel model = open_translator(GetParam(), options);
      return answer_logits(*model.session, greedy_request(model, source, 0), answer);
    };
    const auto alone = logits({.kv_type = kv});
    auto expect_same = [&](const std::vector<std::vector<float>>& other, const std::string& what) {
      ASSERT_EQ(alone.size(), other.size()) << what;
      for (size_t i = 0; i < alone.size(); ++i) EXPECT_EQ(0, std::memcmp(alone[i].data(), other[i].data(), alone[i].size() * sizeof(float))) << what;
    };
    expect_same(logits({.threads = 2, .kv_type = kv}), "two threads");
    for (int64_t chunk : {1, 5, 17}) expect_same(logits({.threads = 2, .batch_tokens = chunk, .kv_type = kv}), "steps of " + std::to_string(chunk));

    // Read together with other sources, and answered beside them.
    OpenModel crowd = open_translator(GetParam(), {.threads = 2, .batch_tokens = 11, .kv_type = kv});
    std::vector<std::vector<float>> seen;
    Request ours = greedy_request(crowd, source, 0);
    ours.prompt.resize(ours.prompt.size() - static_cast<size_t>(ours.begun));
    ours.prompt.insert(ours.prompt.end(), answer.begin(), answer.end() - 1);
    ours.on_logits = [&](int64_t, std::span<const float> row) { seen.emplace_back(row.begin(), row.end()); };
    answers(*crowd.session, {greedy_request(crowd, some_tokens(7, 3), 9), std::move(ours), greedy_request(crowd, some_tokens(23, 4), 9),
                             greedy_request(crowd, some_tokens(1, 5), 9)});
    expect_same(seen, "among others");
  }
}

INSTANTIATE_TEST_SUITE_P(All, Seq2SeqInvariance, testing::ValuesIn(seq2seq_models()), [](const auto& p) {
  std::string name = p.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace motley
