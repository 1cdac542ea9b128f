#include "backends/cpu/weight_panels.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/layout.h"
#include "quant/format.h"

namespace motley::cpu {
namespace {

constexpr int64_t kChunk = 256;  // the most that a gemm asks for
constexpr float kZeros[kChunk] = {};
static_assert(PanelSource::kSpareFloats >= kChunk * kPanelColumns);

}  // namespace

void WeightColumns::fill(int64_t first, int64_t count, int64_t l0, int64_t n, float* to, float* spare) const {
  const int64_t column = first * kPanelColumns, columns = std::min(count * kPanelColumns, w_.dims[1] - column);
  if (w_.layout == kPanelLayout)
    from_panels(column, columns, l0, n, to, spare);
  else
    from_rows(column, columns, count, l0, n, to, spare);
}

void WeightColumns::from_rows(int64_t column, int64_t columns, int64_t count, int64_t l0, int64_t n, float* to, float* spare) const {
  const int64_t row = row_bytes(w_.dtype, w_.dims[1]), skip = row_bytes(w_.dtype, column);
  std::memset(spare, 0, static_cast<size_t>(count * kPanelColumns) * 4);  // what lies behind the last column
  for (int64_t i = 0; i < n; ++i) {
    format(w_.dtype).unpack(w_.data + (l0 + i) * row + skip, spare, columns);
    for (int64_t p = 0; p < count; ++p)
      std::memcpy(to + (p * kChunk + i) * kPanelColumns, spare + p * kPanelColumns, static_cast<size_t>(kPanelColumns) * 4);
  }
}

// A packed panel holds 64 rows of W: unpacked it is [columns][64], which is turned on its side 64 columns at a time.
void WeightColumns::from_panels(int64_t column, int64_t columns, int64_t l0, int64_t n, float* to, float* spare) const {
  const BlockFormat block = block_format(w_.dtype);
  for (int64_t i = 0; i < n; i += kPanelColumns) {
    const std::byte* panel = w_.data + (l0 + i) / kPanelColumns * bytes_of_panel(w_.dtype, w_.dims[1]) + bytes_of_panel(w_.dtype, column);
    k_.unpack_floats[block](reinterpret_cast<const uint8_t*>(panel), columns / 32, spare);
    for (int64_t p = 0; p * kPanelColumns < columns; ++p) {
      const float* x[kPanelColumns];
      for (int64_t c = 0; c < kPanelColumns; ++c) x[c] = p * kPanelColumns + c < columns ? spare + (p * kPanelColumns + c) * kPanelColumns : kZeros;
      k_.interleave(x, kPanelColumns, std::min<int64_t>(kPanelColumns, n - i), to + (p * kChunk + i) * kPanelColumns);
    }
  }
}

void WeightRows::fill(int64_t first, int64_t, int64_t l0, int64_t n, float* to, float* spare) const {
  const int64_t row = row_bytes(w_.dtype, w_.dims[1]), begin = first * kPanelColumns, rows = std::min<int64_t>(kPanelColumns, w_.dims[0] - begin);
  const float* x[kPanelColumns];
  for (int64_t r = 0; r < kPanelColumns; ++r) {
    x[r] = r < rows ? spare + r * kChunk : kZeros;
    if (r < rows) format(w_.dtype).unpack(w_.data + (begin + r) * row + row_bytes(w_.dtype, l0), spare + r * kChunk, n);
  }
  k_.interleave(x, kPanelColumns, n, to);
}

}  // namespace motley::cpu
