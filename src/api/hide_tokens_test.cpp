#include "api/hide_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/objective.h"

namespace motley {
namespace {

const SpecialIds kSpecial{.unk = 1, .pad = 0, .sep = 3, .cls = 2, .mask = 4};
constexpr int64_t kVocab = 1000;

LearningSession::Inputs inputs(size_t count) {
  LearningSession::Inputs in;
  for (size_t t = 0; t < count; ++t) {
    in["tokens"].push_back(t % 20 == 0 ? 2 : t % 20 == 19 ? 3 : static_cast<int32_t>(10 + t % 900));
    in["seq"].push_back(t + 10 < count ? static_cast<int32_t>(t / 20) : -1);
  }
  return in;
}

TEST(HideTokens, SharesAreTheOnesOfBert) {
  const size_t count = 200000;
  const auto before = inputs(count);
  auto in = before;
  hide_tokens({.share = 0.15, .seed = 3, .step = 5}, kSpecial, kVocab, in);
  double masked = 0, replaced = 0, shown = 0, plain = 0;
  for (size_t t = 0; t < count; ++t) {
    const int32_t was = before.at("tokens")[t], is = in["tokens"][t];
    if (in["targets"][t] == kIgnoreTarget) {
      EXPECT_EQ(is, was);
      plain += was > 4;
      continue;
    }
    EXPECT_EQ(in["targets"][t], was);
    EXPECT_GT(was, 4) << "special tokens stay";
    EXPECT_GE(before.at("seq")[t], 0) << "padding stays";
    (is == 4 ? masked : is == was ? shown : replaced) += 1;
  }
  const double hidden = masked + replaced + shown, all = hidden + plain;
  const auto near = [](double part, double of, double share) { EXPECT_NEAR(part, share * of, 5 * std::sqrt(of * share * (1 - share))); };
  near(hidden, all, 0.15), near(masked, hidden, 0.8), near(replaced, hidden, 0.1), near(shown, hidden, 0.1);
}

TEST(HideTokens, DependsOnSeedStepAndPlaceAlone) {
  auto whole = inputs(400), other = inputs(400), seeded = inputs(400);
  hide_tokens({.seed = 3, .step = 5}, kSpecial, kVocab, whole);
  hide_tokens({.seed = 3, .step = 6}, kSpecial, kVocab, other);
  hide_tokens({.seed = 4, .step = 5}, kSpecial, kVocab, seeded);
  EXPECT_NE(whole, other);
  EXPECT_NE(whole, seeded);
  // The second half as a micro-batch of its own.
  LearningSession::Inputs half;
  const auto all = inputs(400);
  for (const char* name : {"tokens", "seq"}) half[name].assign(all.at(name).begin() + 200, all.at(name).end());
  hide_tokens({.seed = 3, .step = 5, .first_token = 200}, kSpecial, kVocab, half);
  EXPECT_TRUE(std::equal(half["tokens"].begin(), half["tokens"].end(), whole["tokens"].begin() + 200));
  EXPECT_TRUE(std::equal(half["targets"].begin(), half["targets"].end(), whole["targets"].begin() + 200));
}

TEST(HideTokens, SomethingIsAlwaysAskedFor) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    LearningSession::Inputs in{{"tokens", {2, 50, 3}}, {"seq", {0, 0, 0}}};
    hide_tokens({.share = 0.01, .seed = seed}, kSpecial, kVocab, in);
    EXPECT_EQ(in["targets"], (std::vector<int32_t>{kIgnoreTarget, 50, kIgnoreTarget}));
  }
}

}  // namespace
}  // namespace motley
