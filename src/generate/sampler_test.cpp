#include "generate/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "motley/error.h"

namespace motley {
namespace {

SamplerOptions plain(float temperature, uint64_t seed = 1) { return {.temperature = temperature, .top_k = 0, .top_p = 1, .min_p = 0, .seed = seed}; }

std::map<int32_t, int> draws(const SamplerOptions& base, const std::vector<float>& logits, int count) {
  std::map<int32_t, int> seen;
  for (int i = 0; i < count; ++i) {
    SamplerOptions o = base;
    o.seed = static_cast<uint64_t>(i);
    ++seen[Sampler(o, {}).next(logits).token];
  }
  return seen;
}

TEST(Sampler, GreedyTakesTheLargestAndTheLowerIdAmongEquals) {
  Sampler s(plain(0), {});
  EXPECT_EQ(s.next(std::vector<float>{1, 5, 5, 2}).token, 1);
}

TEST(Sampler, DrawsFollowTheDistribution) {
  std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.2f)};
  auto seen = draws(plain(1), logits, 20000);
  EXPECT_NEAR(seen[0] / 20000.0, 0.5, 0.015);
  EXPECT_NEAR(seen[1] / 20000.0, 0.3, 0.015);
  EXPECT_NEAR(seen[2] / 20000.0, 0.2, 0.015);
}

TEST(Sampler, EachFilterKeepsWhatItsDefinitionSays) {
  std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  auto o = plain(1);
  o.top_k = 2;
  EXPECT_EQ(draws(o, logits, 500).size(), 2u);
  o = plain(1), o.top_p = 0.75f;  // 0.5 + 0.3 reaches it
  EXPECT_EQ(draws(o, logits, 500).size(), 2u);
  o = plain(1), o.min_p = 0.25f;  // of 0.5: 0.125
  EXPECT_EQ(draws(o, logits, 500).size(), 3u);
  o = plain(1), o.typical_p = 0.25f;  // entropy 1.14; the surprise of 0.3 (1.20) is nearest
  EXPECT_EQ(draws(o, logits, 500), (std::map<int32_t, int>{{1, 500}}));
}

TEST(Sampler, PenaltiesCountWhatTheySayTheyCount) {
  auto o = plain(0);
  o.repeat_penalty = 2;
  EXPECT_EQ(Sampler(o, std::vector<int32_t>{0}).next(std::vector<float>{3, 2, -5}).token, 1);  // 3 / 2 < 2
  o.repeat_last_n = 1;
  EXPECT_EQ(Sampler(o, std::vector<int32_t>{0, 2}).next(std::vector<float>{3, 2, -5}).token, 0);  // token 0 is too far back
  o = plain(0), o.presence_penalty = 2;
  Sampler presence(o, std::vector<int32_t>{0});
  EXPECT_EQ(presence.next(std::vector<float>{3, 2}).token, 0);  // the prompt does not count
  EXPECT_EQ(presence.next(std::vector<float>{3, 2}).token, 1);
  o = plain(0), o.frequency_penalty = 0.6f;
  Sampler frequency(o, {});
  EXPECT_EQ(frequency.next(std::vector<float>{3, 2}).token, 0);
  EXPECT_EQ(frequency.next(std::vector<float>{3, 2}).token, 0);
  EXPECT_EQ(frequency.next(std::vector<float>{3, 2}).token, 1);
  o = plain(0), o.logit_bias = {{0, -std::numeric_limits<float>::infinity()}, {99, 5}};
  EXPECT_EQ(Sampler(o, {}).next(std::vector<float>{3, 2}).token, 1);
}

TEST(Sampler, TheSameSeedDrawsTheSameTokens) {
  std::vector<float> logits(100);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i));
  Sampler a(plain(1, 9), {}), b(plain(1, 9), {}), c(plain(1, 10), {});
  int differ = 0;
  for (int i = 0; i < 50; ++i) {
    int32_t x = a.next(logits).token;
    EXPECT_EQ(x, b.next(logits).token);
    differ += x != c.next(logits).token;
  }
  EXPECT_GT(differ, 25);
}

TEST(Sampler, LogprobsAreThoseOfTheModel) {
  auto o = plain(0);
  o.logprobs = 2;
  o.logit_bias = {{2, 100}};
  auto s = Sampler(o, {}).next(std::vector<float>{std::log(0.5f), std::log(0.3f), std::log(0.2f)});
  EXPECT_EQ(s.token, 2);
  EXPECT_NEAR(s.logprob, std::log(0.2), 1e-6);
  ASSERT_EQ(s.top.size(), 2u);
  EXPECT_EQ(s.top[0].first, 0);
  EXPECT_NEAR(s.top[1].second, std::log(0.3), 1e-6);
}

TEST(Sampler, RefusesWhatCannotBe) {
  EXPECT_THROW(Sampler(plain(-1), {}), Error);
  EXPECT_THROW(Sampler(plain(std::nanf("")), {}), Error);
  float nan = std::nanf("");
  EXPECT_THROW(Sampler(plain(1), {}).next(std::vector<float>{nan, nan}), Error);
  EXPECT_EQ(Sampler(plain(1), {}).next(std::vector<float>{nan, 0}).token, 1);
}

}  // namespace
}  // namespace motley
