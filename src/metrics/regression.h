// How near numbers come to those they should be.
//
//   RegressionScore s = score_numbers(truth, predicted);
#pragma once
#include <cstdint>
#include <span>

namespace motley {

struct RegressionScore {
  int64_t samples = 0;
  double pearson = 0;   // of the numbers; NaN where one side is constant
  double spearman = 0;  // the same of their ranks, equal ones sharing the mean of theirs
  double mse = 0;       // mean of the squared differences
  double mae = 0;       // and of their magnitudes
};

RegressionScore score_numbers(std::span<const float> truth, std::span<const float> predicted);

}  // namespace motley
