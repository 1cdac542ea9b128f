#include "generate/beam_search.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/check.h"
#include "base/error.h"
#include "generate/sampler.h"

namespace motley {

BeamSearch::BeamSearch(const BeamOptions& options, BeamBounds bounds) : options_(options), bounds_(std::move(bounds)), running_(1) {
  if (options.count < 1 || options.count > 1024) fail(ErrorKind::usage, "beams", "there should be 1 to 1024 beams, not {}", options.count);
  if (!(std::abs(options.length_penalty) <= 100))
    fail(ErrorKind::usage, "beams", "the length penalty should be from -100 to 100, not {}", options.length_penalty);
}

bool BeamSearch::ends(int32_t token) const { return std::ranges::find(bounds_.ends, token) != bounds_.ends.end(); }

size_t BeamSearch::kept() const { return std::max<size_t>(2, 1 + bounds_.ends.size()) * static_cast<size_t>(options_.count); }

void BeamSearch::see(size_t beam, std::span<const float> logits) {
  check(beam < running_.size(), "a beam that runs");
  const BeamText& text = running_[beam];
  const bool last = bounds_.last && bounds_.prompt + static_cast<int64_t>(text.tokens.size()) + 1 == bounds_.longest;
  if (last) {
    candidates_.push_back({text.score, beam, *bounds_.last});
    return;
  }
  const double total = log_sum_exp(logits);
  if (!std::isfinite(total)) fail(ErrorKind::runtime, "beams", "no token has a finite logit; the model's output is not usable");
  std::vector<Candidate> own(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) own[i] = {text.score + static_cast<double>(logits[i]) - total, beam, static_cast<int32_t>(i)};
  for (auto [token, bias] : bounds_.logit_bias)
    if (token >= 0 && static_cast<size_t>(token) < own.size()) own[static_cast<size_t>(token)].score += static_cast<double>(bias);
  const auto middle = own.begin() + static_cast<std::ptrdiff_t>(std::min(kept(), own.size()));
  std::ranges::partial_sort(own, middle,
                            [](const Candidate& a, const Candidate& b) { return a.score > b.score || (a.score == b.score && a.token < b.token); });
  candidates_.insert(candidates_.end(), own.begin(), middle);
}

double BeamSearch::penalty(int64_t tokens) const { return std::pow(static_cast<double>(tokens + bounds_.begun), options_.length_penalty); }

void BeamSearch::finish(const Candidate& c) {
  BeamText text = running_[c.beam];
  text.tokens.push_back(c.token);
  text.score = c.score / penalty(static_cast<int64_t>(text.tokens.size()));
  finished_.insert(std::ranges::upper_bound(finished_, text.score, std::greater<>(), &BeamText::score), std::move(text));
  if (finished_.size() > static_cast<size_t>(options_.count)) finished_.pop_back();
}

std::vector<BeamStep> BeamSearch::advance() {
  const auto count = static_cast<size_t>(options_.count);
  std::ranges::stable_sort(candidates_, std::greater<>(), &Candidate::score);  // among equals the earlier beam, then the lower token
  candidates_.resize(std::min(candidates_.size(), kept()));
  const auto length = static_cast<int64_t>(running_[0].tokens.size()) + 1;
  const bool full = bounds_.prompt + length >= bounds_.longest;
  std::vector<BeamStep> next;
  std::vector<BeamText> running;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& c = candidates_[i];
    if (full || ends(c.token)) {
      if (i < count) finish(c);  // the others only stand in for those that end
    } else if (next.size() < count) {
      next.push_back({c.beam, c.token});
      running.push_back(running_[c.beam]);
      running.back().tokens.push_back(c.token);
      running.back().score = c.score;
    }
  }
  candidates_.clear();
  running_ = std::move(running);
  if (next.empty()) return {};
  if (finished_.size() == count) {
    if (options_.stop == BeamStop::early) return {};
    const bool by_longest = options_.stop == BeamStop::complete && options_.length_penalty > 0;
    if (running_[0].score / penalty(by_longest ? bounds_.longest - bounds_.prompt : length) <= finished_.back().score) return {};
  }
  return next;
}

}  // namespace motley
