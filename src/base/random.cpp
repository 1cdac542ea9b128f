#include "base/random.h"

#include <cmath>
#include <numbers>

namespace motley {

float philox_normal(uint64_t seed, uint64_t stream, uint64_t index) {
  double u = (static_cast<double>(philox(seed, stream, 2 * index)) + 1.0) * 0x1.0p-32;
  double v = static_cast<double>(philox(seed, stream, 2 * index + 1)) * 0x1.0p-32;
  return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v));
}

}  // namespace motley
