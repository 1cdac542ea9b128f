// The learning rate of each step. Every schedule rises in a straight line over its warm-up: rate(t) = base * t / warm-up for t <= warm-up,
// steps counted from 1.
//
//   Schedule s{.kind = ScheduleKind::cosine, .base = 1e-3, .warmup = 100, .steps = 2000, .floor = 0.1};
//   double rate = learning_rate(s, step);
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace motley {

enum class ScheduleKind : uint8_t {
  constant,
  linear,               // from base to floor * base at the last step
  cosine,               // the same along half a cosine (Loshchilov & Hutter 2017)
  warmup_stable_decay,  // base until the last `decay` of the steps, then linear to the floor (Hu et al. 2024)
  inverse_sqrt,         // base * sqrt(warm-up / step) (Vaswani et al. 2017)
  plateau,              // base, cut by a factor whenever the evaluation loss has not fallen for a while
};
inline constexpr std::array<std::string_view, 6> kScheduleNames = {"constant", "linear", "cosine", "wsd", "inverse-sqrt", "plateau"};

ScheduleKind parse_schedule(const std::string& name);  // Error(usage) with the nearest

struct Schedule {
  ScheduleKind kind = ScheduleKind::cosine;
  double base = 3e-4;
  int64_t warmup = 0, steps = 1;
  double floor = 0.1;  // of base, where the schedule falls to one
  double decay = 0.2;  // of the steps
};

double learning_rate(const Schedule& schedule, int64_t step);

// Halves (or so) the rate when `patience` evaluations in a row were no better than the best by a thousandth.
class Plateau {
 public:
  Plateau(int64_t patience, double factor) : patience_(patience), factor_(factor) {}
  void observe(double loss);
  double multiplier() const { return multiplier_; }

  struct State {  // what a checkpoint keeps
    std::optional<double> best = std::nullopt;
    int64_t bad = 0;
    double multiplier = 1;
  };
  State state() const { return {best_, bad_, multiplier_}; }
  void restore(const State& s) { best_ = s.best, bad_ = s.bad, multiplier_ = s.multiplier; }

 private:
  int64_t patience_, bad_ = 0;
  double factor_, multiplier_ = 1;
  std::optional<double> best_;
};

}  // namespace motley
