#include "generate/beam_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "generate/sampler.h"
#include "motley/error.h"

namespace motley {
namespace {

constexpr int64_t kVocab = 5;

// Logits that are a function of all that has been written.
std::vector<float> logits_after(const std::vector<int32_t>& text, uint64_t seed) {
  uint64_t hash = 7;
  for (int32_t t : text) hash = hash * 31 + static_cast<uint64_t>(t) + 1;
  std::vector<float> out;
  for (int64_t v = 0; v < kVocab; ++v) out.push_back(2 * philox_normal(seed, hash, static_cast<uint64_t>(v)));
  return out;
}

BeamText search(const BeamOptions& options, const BeamBounds& bounds, uint64_t seed, int* steps = nullptr) {
  BeamSearch search(options, bounds);
  std::vector<std::vector<int32_t>> texts = {{}};
  for (;;) {
    if (steps) ++*steps;
    for (size_t b = 0; b < texts.size(); ++b) search.see(b, logits_after(texts[b], seed));
    std::vector<std::vector<int32_t>> next;
    for (const BeamStep& step : search.advance()) {
      next.push_back(texts[step.parent]);
      next.back().push_back(step.token);
    }
    if (next.empty()) return search.best();
    EXPECT_LE(next.size(), static_cast<size_t>(options.count));
    texts = next;
  }
}

// The best of all texts there are.
void find_best(std::vector<int32_t>& text, double score, const BeamOptions& options, const BeamBounds& bounds, uint64_t seed, BeamText& best) {
  const auto logits = logits_after(text, seed);
  const double total = log_sum_exp(logits);
  for (int32_t token = 0; token < kVocab; ++token) {
    const double s = score + static_cast<double>(logits[static_cast<size_t>(token)]) - total;
    text.push_back(token);
    if (token == bounds.ends[0] || bounds.prompt + static_cast<int64_t>(text.size()) == bounds.longest) {
      const double whole = s / std::pow(static_cast<double>(text.size()), options.length_penalty);
      if (best.tokens.empty() || whole > best.score) best = {text, whole};
    } else {
      find_best(text, s, options, bounds, seed, best);
    }
    text.pop_back();
  }
}

TEST(BeamSearch, OfAllTextsFindsTheBest) {
  for (uint64_t seed : {1, 2, 3})
    for (double penalty : {0.0, 0.7, 1.0, 2.0}) {
      const BeamOptions all{.count = 400, .length_penalty = penalty, .stop = BeamStop::complete};
      const BeamBounds bounds{.ends = {0}, .prompt = 3, .longest = 7};
      BeamText best;
      std::vector<int32_t> text;
      find_best(text, 0, all, bounds, seed, best);
      const BeamText found = search(all, bounds, seed);
      EXPECT_EQ(found.tokens, best.tokens) << "seed " << seed << ", penalty " << penalty;
      EXPECT_NEAR(found.score, best.score, 1e-9);
    }
}

TEST(BeamSearch, OfOneBeamTakesTheLikeliestToken) {
  const BeamText found = search({.count = 1}, {.ends = {}, .prompt = 1, .longest = 6}, 4);
  std::vector<int32_t> text;
  while (text.size() < 5) {
    const auto logits = logits_after(text, 4);
    text.push_back(static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
  }
  EXPECT_EQ(found.tokens, text);
}

TEST(BeamSearch, WritesNothingForbiddenAndEndsAsItHasTo) {
  const float never = -std::numeric_limits<float>::infinity();
  const BeamText found = search({.count = 3}, {.ends = {0}, .logit_bias = {{0, never}, {2, never}}, .prompt = 1, .longest = 8, .last = 0}, 5);
  ASSERT_EQ(found.tokens.size(), 7u);
  EXPECT_EQ(found.tokens.back(), 0);  // forbidden before, and forced at the end
  for (size_t i = 0; i + 1 < found.tokens.size(); ++i) EXPECT_TRUE(found.tokens[i] != 0 && found.tokens[i] != 2);
}

TEST(BeamSearch, StopsAsEarlyAsItIsTold) {
  int early = 0, complete = 0;
  const BeamBounds bounds{.ends = {0}, .prompt = 1, .longest = 200};
  search({.count = 2, .length_penalty = 1, .stop = BeamStop::early}, bounds, 6, &early);
  search({.count = 2, .length_penalty = 1, .stop = BeamStop::complete}, bounds, 6, &complete);
  EXPECT_LT(early, complete);
}

TEST(BeamSearch, RefusesWhatCannotBe) {
  EXPECT_THROW(BeamSearch({.count = 0}, {}), Error);
  EXPECT_THROW(BeamSearch({.count = 2, .length_penalty = std::nan("")}, {}), Error);
}

}  // namespace
}  // namespace motley
