#include "quant/activation.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/check.h"

namespace motley {

const char* name(ActivationFormat format) { return format == ActivationFormat::f32 ? "f32" : "q8_32"; }

void quantise_activations(const float* x, void* row, int64_t n) {
  check(n % 32 == 0, "quantised activations come in groups of 32");
  auto* values = static_cast<int8_t*>(row);
  auto* scales = reinterpret_cast<float*>(values + n);
  auto* sums = reinterpret_cast<int16_t*>(values + n + n / 32 * 4);
  for (int64_t i = 0; i < n; i += 32, x += 32, values += 32, sums += 2) {
    // The bits of positive floats order as whole numbers do, with NaN above infinity above the rest.
    int32_t bits = 0;
    for (int j = 0; j < 32; ++j) bits = std::max(bits, std::bit_cast<int32_t>(x[j]) & 0x7FFFFFFF);
    bool finite = bits < 0x7F800000;
    auto amax = std::bit_cast<float>(bits);
    float inverse = finite && amax >= 0x1p-100f ? 127.0f / amax : 0.0f;
    scales[i / 32] = finite ? (inverse != 0 ? amax * (1.0f / 127.0f) : 0.0f) : std::numeric_limits<float>::quiet_NaN();
    sums[0] = sums[1] = 0;
    for (int j = 0; j < 32; ++j) {
      constexpr float kRound = 0x1.8p23f;  // adding and taking away 1.5 * 2^23 leaves the nearest whole number, ties to even
      float q = finite ? (x[j] * inverse + kRound) - kRound : 0.0f;
      values[j] = static_cast<int8_t>(q);
      sums[j / 16] = static_cast<int16_t>(sums[j / 16] + values[j]);
    }
  }
}

QuantisedRow quantise_activations(std::span<const float> x) {
  QuantisedRow out;
  out.n_ = static_cast<int64_t>(x.size());
  out.bytes_.resize(static_cast<size_t>(activation_row_bytes(ActivationFormat::q8_32, out.n_)));
  quantise_activations(x.data(), out.bytes_.data(), out.n_);
  return out;
}

}  // namespace motley
