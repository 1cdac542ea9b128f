#include "train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "train/recipe.h"

namespace motley {

ScheduleKind parse_schedule(const std::string& name) { return static_cast<ScheduleKind>(choice_of("schedule", name, kScheduleNames)); }

double learning_rate(const Schedule& s, int64_t step) {
  if (step <= s.warmup) return s.base * static_cast<double>(step) / static_cast<double>(s.warmup);
  const auto after = static_cast<double>(step - s.warmup), whole = static_cast<double>(std::max<int64_t>(s.steps - s.warmup, 1));
  const double done = std::min(after / whole, 1.0);
  switch (s.kind) {
    case ScheduleKind::constant:
    case ScheduleKind::plateau:
      return s.base;
    case ScheduleKind::linear:
      return s.base * (1 - (1 - s.floor) * done);
    case ScheduleKind::cosine:
      return s.base * (s.floor + (1 - s.floor) * 0.5 * (1 + std::cos(std::numbers::pi * done)));
    case ScheduleKind::warmup_stable_decay: {
      const double decay = std::max(s.decay * static_cast<double>(s.steps), 1.0), left = static_cast<double>(s.steps - step);
      return s.base * (s.floor + (1 - s.floor) * std::clamp(left / decay, 0.0, 1.0));
    }
    case ScheduleKind::inverse_sqrt:
      return s.base * std::sqrt(static_cast<double>(std::max<int64_t>(s.warmup, 1)) / static_cast<double>(step));
  }
  return s.base;
}

void Plateau::observe(double loss) {
  if (std::isfinite(loss) && (!best_ || loss < *best_ * (1 - 1e-3))) {
    best_ = loss;
    bad_ = 0;
  } else if (++bad_ >= patience_) {
    multiplier_ *= factor_;
    bad_ = 0;
  }
}

}  // namespace motley
