#include "generate/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "base/error.h"
#include "base/random.h"

namespace motley {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

void expect_range(const char* option, double value, double low, double high) {
  if (!(value >= low && value <= high)) fail(ErrorKind::usage, "sampling", "{} must be from {} to {}, got {}", option, low, high, value);
}

// Larger logit first; among equals the lower id, so that greedy and sampled text do not depend on the order of a sort.
constexpr auto kBetter = [](const auto& a, const auto& b) { return a.logit > b.logit || (a.logit == b.logit && a.token < b.token); };

}  // namespace

double log_sum_exp(std::span<const float> x) {
  float top = kForbidden;
  for (float v : x) top = std::max(top, v);
  if (top == kForbidden) return top;
  double sum = 0;
  for (float v : x) sum += std::exp(static_cast<double>(v - top));
  return top + std::log(sum);
}

Sampler::Sampler(SamplerOptions options, std::span<const int32_t> prompt)
    : options_(std::move(options)), history_(prompt.begin(), prompt.end()), prompt_size_(prompt.size()) {
  expect_range("temperature", options_.temperature, 0, 100);
  expect_range("top_k", static_cast<double>(options_.top_k), 0, 1e9);
  expect_range("top_p", options_.top_p, 0, 1);
  expect_range("min_p", options_.min_p, 0, 1);
  expect_range("typical_p", options_.typical_p, 0, 1);
  expect_range("repeat_penalty", options_.repeat_penalty, 1e-3, 1e3);
  expect_range("repeat_last_n", static_cast<double>(options_.repeat_last_n), -1, 1e9);
  expect_range("presence_penalty", options_.presence_penalty, -100, 100);
  expect_range("frequency_penalty", options_.frequency_penalty, -100, 100);
  expect_range("logprobs", options_.logprobs, -1, 1000);
}

void Sampler::penalise(std::span<const float> logits) {
  candidates_.resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) candidates_[i] = {static_cast<int32_t>(i), logits[i]};
  auto known = [&](int32_t token) { return token >= 0 && static_cast<size_t>(token) < candidates_.size(); };
  for (auto [token, bias] : options_.logit_bias)
    if (known(token)) candidates_[static_cast<size_t>(token)].logit += bias;
  if (options_.repeat_penalty != 1) {
    size_t back = options_.repeat_last_n < 0 ? history_.size() : std::min(history_.size(), static_cast<size_t>(options_.repeat_last_n));
    std::vector<int32_t> recent(history_.end() - static_cast<std::ptrdiff_t>(back), history_.end());
    std::ranges::sort(recent);
    recent.erase(std::unique(recent.begin(), recent.end()), recent.end());
    for (int32_t token : recent) {
      if (!known(token)) continue;
      float& logit = candidates_[static_cast<size_t>(token)].logit;
      logit = logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
    }
  }
  if (options_.presence_penalty != 0 || options_.frequency_penalty != 0) {
    std::unordered_map<int32_t, int> count;
    for (size_t i = prompt_size_; i < history_.size(); ++i) ++count[history_[i]];
    for (auto [token, n] : count)
      if (known(token))
        candidates_[static_cast<size_t>(token)].logit -= options_.presence_penalty + options_.frequency_penalty * static_cast<float>(n);
  }
}

// Leaves the k best, sorted. Selection before sorting: a vocabulary is never sorted whole for a small k.
void Sampler::keep_top_k(int64_t k) {
  auto n = std::min(static_cast<size_t>(k), candidates_.size());
  if (n < candidates_.size()) {
    std::ranges::nth_element(candidates_, candidates_.begin() + static_cast<std::ptrdiff_t>(n), kBetter);
    candidates_.resize(n);
  }
  std::ranges::sort(candidates_, kBetter);
}

void Sampler::keep_probable() {
  // Probabilities at temperature 1 of what is left, in order.
  auto normalise = [&] {
    probability_.resize(candidates_.size());
    double sum = 0;
    for (size_t i = 0; i < candidates_.size(); ++i) sum += probability_[i] = std::exp(candidates_[i].logit - candidates_[0].logit);
    for (float& p : probability_) p = static_cast<float>(p / sum);
  };
  if (options_.typical_p < 1) {
    normalise();
    double entropy = 0;
    for (float p : probability_)
      if (p > 0) entropy -= static_cast<double>(p) * std::log(p);
    std::vector<size_t> order(candidates_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    auto surprise = [&](size_t i) { return std::abs(-std::log(static_cast<double>(probability_[i])) - entropy); };
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return surprise(a) < surprise(b); });
    double sum = 0;
    size_t keep = 0;
    while (keep < order.size() && (keep == 0 || sum < options_.typical_p)) sum += probability_[order[keep++]];
    order.resize(keep);
    std::ranges::sort(order);  // back to the order by logit
    std::vector<Candidate> kept;
    for (size_t i : order) kept.push_back(candidates_[i]);
    candidates_ = std::move(kept);
  }
  if (options_.top_p < 1) {
    normalise();
    double sum = 0;
    size_t keep = 0;
    while (keep < candidates_.size() && (keep == 0 || sum < options_.top_p)) sum += probability_[keep++];
    candidates_.resize(keep);
  }
  if (options_.min_p > 0) {
    float least = candidates_[0].logit + std::log(options_.min_p);
    size_t keep = 1;
    while (keep < candidates_.size() && candidates_[keep].logit >= least) ++keep;
    candidates_.resize(keep);
  }
}

int32_t Sampler::draw() {
  probability_.resize(candidates_.size());
  double sum = 0;
  for (size_t i = 0; i < candidates_.size(); ++i)
    sum += probability_[i] = std::exp((candidates_[i].logit - candidates_[0].logit) / options_.temperature);
  double u = static_cast<double>(philox_uniform(options_.seed, 0, history_.size() - prompt_size_)) * sum;
  for (size_t i = 0; i < candidates_.size(); ++i)
    if ((u -= probability_[i]) < 0) return candidates_[i].token;
  return candidates_[0].token;
}

Sampled Sampler::next(std::span<const float> logits) {
  if (logits.empty()) fail(ErrorKind::runtime, "sampling", "there are no logits to choose from");
  Sampled out;
  penalise(logits);
  // NaN compares false with everything and would end up anywhere: it is forbidden instead.
  bool any = false;
  for (auto& c : candidates_) {
    if (std::isnan(c.logit)) c.logit = kForbidden;
    any = any || c.logit > kForbidden;
  }
  if (!any) fail(ErrorKind::runtime, "sampling", "no token has a finite logit; the model's output is not usable");
  if (options_.temperature == 0) {
    out.token = std::ranges::min_element(candidates_, kBetter)->token;
  } else {
    std::erase_if(candidates_, [](const Candidate& c) { return c.logit == kForbidden; });
    keep_top_k(options_.top_k > 0 ? options_.top_k : static_cast<int64_t>(candidates_.size()));
    keep_probable();
    out.token = draw();
  }
  if (options_.logprobs >= 0) {
    auto total = log_sum_exp(logits);
    auto logprob = [&](int32_t token) { return static_cast<float>(logits[static_cast<size_t>(token)] - total); };
    out.logprob = logprob(out.token);
    candidates_.resize(logits.size());
    for (size_t i = 0; i < logits.size(); ++i) candidates_[i] = {static_cast<int32_t>(i), logits[i]};
    keep_top_k(options_.logprobs);
    for (const auto& c : candidates_) out.top.emplace_back(c.token, logprob(c.token));
  }
  history_.push_back(out.token);
  return out;
}

}  // namespace motley
