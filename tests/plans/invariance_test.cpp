// Promise (i): same device, plan and kernels: a row's result has the same bits whatever else is in the step, however the prompt was cut,
// whatever the thread count, and whether its prefix was computed now or before.
#include <gtest/gtest.h>

#include <cctype>
#include <cstring>

#include "motley/error.h"
#include "run_model.h"

namespace motley {
namespace {

class Invariance : public testing::TestWithParam<std::string> {};

void expect_same_bits(const Trace& a, const Trace& b, const std::string& what) {
  EXPECT_EQ(a.tokens, b.tokens) << what;
  ASSERT_EQ(a.logits.size(), b.logits.size()) << what;
  for (size_t i = 0; i < a.logits.size(); ++i)
    ASSERT_EQ(0, std::memcmp(a.logits[i].data(), b.logits[i].data(), a.logits[i].size() * sizeof(float))) << what << ", position " << i;
}

TEST_P(Invariance, ChunksThreadsAndNeighboursChangeNoBit) {
  OpenModel model = open_tiny(GetParam(), {});
  std::vector<std::vector<int32_t>> prompts = {some_prompt(model, 23, 1), some_prompt(model, 1, 2), some_prompt(model, 7, 3),
                                               some_prompt(model, 17, 4)};
  std::vector<Trace> alone;
  for (const auto& p : prompts) alone.push_back(run_prompts(model, {p}, 8)[0]);

  for (int64_t chunk : {1, 3, 7, 16}) {
    OpenModel chunked = open_tiny(GetParam(), {.batch_tokens = chunk});
    expect_same_bits(alone[0], run_prompts(chunked, {prompts[0]}, 8)[0], "chunks of " + std::to_string(chunk));
  }
  OpenModel threads = open_tiny(GetParam(), {.threads = 2});
  expect_same_bits(alone[0], run_prompts(threads, {prompts[0]}, 8)[0], "two threads");

  OpenModel crowd = open_tiny(GetParam(), {.threads = 2, .batch_tokens = 11, .sequences = 4});
  auto together = run_prompts(crowd, prompts, 8);
  for (size_t i = 0; i < prompts.size(); ++i) expect_same_bits(alone[i], together[i], "among others, prompt " + std::to_string(i));
}

TEST_P(Invariance, EveryKvTypeKeepsThePromise) {
  for (Dtype kv : {Dtype::f16, Dtype::bf16, Dtype::q8_0}) {
    RunOptions options{.kv_type = kv};
    OpenModel first = [&] {
      try {
        return open_tiny(GetParam(), options);
      } catch (const Error& e) {
        EXPECT_EQ(kv, Dtype::q8_0) << e.what();  // heads that are not whole blocks are refused
        return OpenModel{};
      }
    }();
    if (!first.session) continue;
    auto prompt = some_prompt(first, 19, 5);
    Trace whole = run_prompts(first, {prompt}, 6)[0];
    options.batch_tokens = 5, options.threads = 2;
    OpenModel cut = open_tiny(GetParam(), options);
    expect_same_bits(whole, run_prompts(cut, {prompt}, 6)[0], name(kv));
  }
}

// The second answer starts from pages of the first.
TEST_P(Invariance, AReusedPrefixGivesTheSameTokensAndProbabilities) {
  OpenModel model = open_tiny(GetParam(), {});
  auto prompt = some_prompt(model, 40, 6);
  Scheduler scheduler(*model.session);
  std::vector<Sampled> runs[2];
  for (auto& run : runs) {
    Request r;
    r.prompt = prompt;
    r.max_tokens = 8;
    r.sampling.temperature = 0;
    r.sampling.logprobs = 4;
    scheduler.submit(std::move(r));
    while (!scheduler.idle())
      for (const Event& e : scheduler.step())
        if (e.token) run.push_back(*e.token);
  }
  EXPECT_GT(scheduler.totals().reused_tokens, 0);
  ASSERT_EQ(runs[0].size(), runs[1].size());
  for (size_t i = 0; i < runs[0].size(); ++i) {
    EXPECT_EQ(runs[0][i].token, runs[1][i].token);
    EXPECT_EQ(runs[0][i].logprob, runs[1][i].logprob);
    EXPECT_EQ(runs[0][i].top, runs[1][i].top);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Invariance, testing::ValuesIn(tiny_models()), [](const auto& p) {
  std::string name = p.param;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace motley
