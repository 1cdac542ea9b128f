#include "train/stopping.h"

#include <algorithm>
#include <cmath>

namespace motley {

EarlyStopping::Verdict EarlyStopping::observe(int64_t step, double loss) {
  if (std::isfinite(loss) && (!state_.best || loss < *state_.best)) {
    state_ = {loss, step, 0};
    return {.best = true, .stop = false};
  }
  ++state_.bad;
  return {.best = false, .stop = patience_ > 0 && state_.bad >= patience_};
}

SpikeGuard::Verdict SpikeGuard::observe(double loss) {
  bool odd = !std::isfinite(loss);
  if (!odd && static_cast<int64_t>(recent_.size()) >= limits_.window / 2) {
    double mean = 0, square = 0;
    for (double x : recent_) mean += x / static_cast<double>(recent_.size());
    for (double x : recent_) square += (x - mean) * (x - mean) / static_cast<double>(recent_.size());
    odd = loss > mean + std::max(limits_.deviations * std::sqrt(square), 0.5 * std::fabs(mean));
  }
  if (odd) return ++skipped_ >= limits_.persistence ? Verdict::stop : Verdict::skip;
  skipped_ = 0;
  recent_.push_back(loss);
  if (static_cast<int64_t>(recent_.size()) > limits_.window) recent_.pop_front();
  return Verdict::take;
}

}  // namespace motley
