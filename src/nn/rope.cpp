#include "nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ops/builder.h"

namespace motley {
namespace {

double wave_length(double frequency) { return 2 * std::numbers::pi / frequency; }

// Long waves never completed a turn in training and are slowed by `factor`; short ones are kept; between, a linear mixture.
double llama3_frequency(const RopeConfig& r, double frequency) {
  double turns = static_cast<double>(r.original_positions) / wave_length(frequency);  // in the context of training
  if (turns > r.high_frequency) return frequency;
  if (turns < r.low_frequency) return frequency / r.factor;
  double smooth = (turns - r.low_frequency) / (r.high_frequency - r.low_frequency);
  return (1 - smooth) * frequency / r.factor + smooth * frequency;
}

// The dimension whose wave makes this many turns in the original context ("By parts" interpolation, section 3.2 of the paper).
double yarn_dimension(const RopeConfig& r, double turns) {
  return static_cast<double>(r.dims) * std::log(static_cast<double>(r.original_positions) / (turns * 2 * std::numbers::pi)) / (2 * std::log(r.theta));
}

void yarn(const RopeConfig& r, std::vector<double>& frequencies) {
  double low = yarn_dimension(r, r.beta_fast), high = yarn_dimension(r, r.beta_slow);
  if (r.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(r.dims - 1));
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies[i] *= ramp / r.factor + (1 - ramp);
  }
}

}  // namespace

double yarn_attention_factor(double factor, double scale) { return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1; }

std::vector<double> rope_frequencies(const RopeConfig& r, int64_t context) {
  double theta = r.theta;
  const auto dims = static_cast<double>(r.dims), length = static_cast<double>(context), trained = static_cast<double>(r.max_positions);
  if (r.scaling == RopeScaling::dynamic && context > r.max_positions && r.dims > 2)
    theta *= std::pow(r.factor * length / trained - (r.factor - 1), dims / (dims - 2));

  std::vector<double> frequencies(static_cast<size_t>(r.dims / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] = std::pow(theta, -2.0 * static_cast<double>(i) / dims);

  switch (r.scaling) {
    case RopeScaling::none:
    case RopeScaling::dynamic:
      break;
    case RopeScaling::linear:
      for (double& f : frequencies) f /= r.factor;
      break;
    case RopeScaling::llama3:
      for (double& f : frequencies) f = llama3_frequency(r, f);
      break;
    case RopeScaling::yarn:
      yarn(r, frequencies);
      break;
    case RopeScaling::longrope:
    case RopeScaling::divisors: {
      const auto& divisors = r.scaling == RopeScaling::longrope && context > r.original_positions ? r.long_divisors : r.divisors;
      for (size_t i = 0; i < frequencies.size(); ++i) frequencies[i] /= divisors[i];
      break;
    }
  }
  return frequencies;
}

Rotary::Rotary(Builder& b, const ModelConfig& c) : b_(b), c_(c) {
  auto table = [&](const RopeConfig& rope) {
    auto frequencies = rope_frequencies(rope, c.built_context());
    return b.constant({rope.dims / 2}, {frequencies.begin(), frequencies.end()});
  };
  full_ = table(c.rope);
  if (c.window_rope) window_ = table(*c.window_rope);
}

Value Rotary::turn(Value x, int64_t layer) const {
  bool in_window = c_.window_rope && c_.window(layer) > 0;
  const RopeConfig& rope = in_window ? *c_.window_rope : c_.rope;
  return b_.rope(x, in_window ? window_ : full_, c_.pairing, rope.dims, static_cast<float>(rope.attention_factor));
}

}  // namespace motley
