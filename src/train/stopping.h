// When a run ends before its last step: because it no longer gets better, or because it has gone wrong.
//
//   EarlyStopping stopping(3);
//   if (stopping.observe(step, evaluation_loss).stop) ...    // and restore stopping.best_step()
//
//   SpikeGuard guard({});
//   switch (guard.observe(loss)) ...
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

namespace motley {

// Counts evaluations that were no better than the best so far.
class EarlyStopping {
 public:
  explicit EarlyStopping(int64_t patience) : patience_(patience) {}  // 0: never stops, but knows the best

  struct Verdict {
    bool best = false, stop = false;
  };
  Verdict observe(int64_t step, double loss);  // a loss that is not finite is never the best

  struct State {
    std::optional<double> best = std::nullopt;
    int64_t best_step = 0, bad = 0;
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  int64_t patience_;
  State state_;
};

// Tells a loss that has leapt from one that is noisy: against the losses of the last steps that counted.
class SpikeGuard {
 public:
  struct Limits {
    int64_t window = 64;       // steps looked back on; judging begins with half of them
    double deviations = 6;     // above their mean, at least a half of it: a spike
    int64_t persistence = 10;  // steps skipped in a row: the run has gone wrong
  };
  enum class Verdict : uint8_t { take, skip, stop };

  explicit SpikeGuard(const Limits& limits) : limits_(limits) {}
  Verdict observe(double loss);

  struct State {
    std::vector<double> recent = {};
    int64_t skipped = 0;
  };
  State state() const { return {{recent_.begin(), recent_.end()}, skipped_}; }
  void restore(const State& state) { recent_ = {state.recent.begin(), state.recent.end()}, skipped_ = state.skipped; }

 private:
  Limits limits_;
  std::deque<double> recent_;
  int64_t skipped_ = 0;
};

}  // namespace motley
