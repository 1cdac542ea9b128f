// The bias of an attention's scores by distance, as its kernels take it: for each row of queries what is added to the scores of a chunk.
//
//   bias_row(bias, head, position, row, n, [&](int64_t j) { return positions[chunk + j]; });
#pragma once
#include <algorithm>
#include <cstdint>

#include "backends/cpu/kernel.h"

namespace motley::cpu {

// Of head `head` of the bias [H, 2N + 1] and a query at `position` what the first n keys of a chunk add, key j standing at position_of(j); the
// rest of the chunk becomes 0.
template <class Function>
void bias_row(const Array& bias, int64_t head, int64_t position, float* row, int64_t n, Function&& position_of) {
  const int64_t reach = bias.dims[1] / 2;
  const float* middle = bias.f32() + head * bias.dims[1] + reach;
  for (int64_t j = 0; j < n; ++j) row[j] = middle[std::clamp<int64_t>(position_of(j) - position, -reach, reach)];
  std::fill(row + n, row + kAttendChunk, 0.0f);
}

}  // namespace motley::cpu
