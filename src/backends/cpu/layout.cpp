#include "backends/cpu/layout.h"

#include <cstring>

#include "base/check.h"
#include "quant/format.h"
#include "target/target.h"
#include "tensor/half.h"

namespace motley::cpu {
namespace {

constexpr int kColumns = kPanelColumns;

// Column `column` of a packed panel of a block format.
void read_packed_blocks(Dtype dtype, const uint8_t* panel, int column, int64_t k, float* out) {
  const BlockSpec& s = kBlockSpecs[block_format(dtype)];
  int low_mask = (1 << s.low_bits) - 1, high_mask = (1 << s.high_bits) - 1;
  int strip = column / kStripColumns, in_strip = column % kStripColumns;
  for (int64_t b = 0; b < k / s.block; ++b, panel += wide_bytes(s)) {
    uint16_t d16, dmin16 = 0;
    std::memcpy(&d16, panel + 2 * column, 2);
    if (s.has_min) std::memcpy(&dmin16, panel + 2 * (kColumns + column), 2);
    float d = f16_to_float(d16), dmin = f16_to_float(dmin16);
    for (int e = 0; e < s.block; ++e) {
      const uint8_t* part = panel + head_bytes(s) + e / 32 * part_bytes(s);
      const uint8_t* low = part + strips_at(s) + strip * strip_bytes(s);
      int g = e % 32 / 4, place = 4 * in_strip + e % 4;
      int q = (low[64 * (g % s.low_bits) + place] >> (g / s.low_bits * s.low_bits)) & low_mask;
      if (s.high_bits) q |= ((low[low_bytes(s) + 64 * (g % s.high_bits) + place] >> (g / s.high_bits * s.high_bits)) & high_mask) << s.low_bits;
      float scale = d, min = dmin;
      if (s.block != 32) {
        const uint8_t* at = part + kColumns * (e % 32 / s.sub) + column;
        if (s.nibble_scale) {
          scale = d * static_cast<float>(*at & 15);
          min = dmin * static_cast<float>(*at >> 4);
        } else {
          scale = d * static_cast<float>(s.signed_scale ? static_cast<int8_t>(*at) : *at);
          if (s.has_min) min = dmin * static_cast<float>(at[mins_at(s)]);
        }
      }
      *out++ = scale * static_cast<float>(q - s.bias) - min;
    }
  }
}

}  // namespace

bool is_block_format(Dtype dtype) { return info(dtype).quantised; }

BlockFormat block_format(Dtype dtype) {
  switch (dtype) {
    case Dtype::q8_0:
      return kQ8_0;
    case Dtype::q4_0:
      return kQ4_0;
    case Dtype::q4_1:
      return kQ4_1;
    case Dtype::q5_0:
      return kQ5_0;
    case Dtype::q5_1:
      return kQ5_1;
    case Dtype::q2_k:
      return kQ2_K;
    case Dtype::q3_k:
      return kQ3_K;
    case Dtype::q4_k:
      return kQ4_K;
    case Dtype::q5_k:
      return kQ5_K;
    case Dtype::q6_k:
      return kQ6_K;
    default:
      check(false, "not a block format");
      return kQ8_0;
  }
}

int float_index(Dtype dtype) { return dtype == Dtype::f32 ? 0 : dtype == Dtype::f16 ? 1 : dtype == Dtype::bf16 ? 2 : -1; }

bool can_pack(Dtype dtype, int64_t k) { return float_index(dtype) >= 0 || (is_block_format(dtype) && k % info(dtype).block == 0); }

int64_t bytes_of_panel(Dtype dtype, int64_t k) {
  if (is_block_format(dtype)) return panel_bytes(kBlockSpecs[block_format(dtype)], k);
  return float_panel_bytes(info(dtype).block_bytes, k);
}

int64_t bytes_of_panels(Dtype dtype, int64_t n, int64_t k) { return (n + kColumns - 1) / kColumns * bytes_of_panel(dtype, k); }

void read_row(Dtype dtype, std::string_view layout, const std::byte* weight, int64_t k, int64_t row, float* out) {
  if (layout == kPlainLayout) return format(dtype).unpack(weight + row * row_bytes(dtype, k), out, k);
  const std::byte* panel = weight + row / kColumns * bytes_of_panel(dtype, k);
  int column = static_cast<int>(row % kColumns);
  if (is_block_format(dtype)) return read_packed_blocks(dtype, reinterpret_cast<const uint8_t*>(panel), column, k, out);
  if (dtype == Dtype::f32) {
    for (int64_t i = 0; i < k; ++i) std::memcpy(out + i, panel + 4 * (i * kColumns + column), 4);
    return;
  }
  for (int64_t i = 0; i < k; ++i) {
    uint16_t h;
    std::memcpy(&h, panel + 2 * (i * kColumns + column), 2);
    out[i] = dtype == Dtype::f16 ? f16_to_float(h) : bf16_to_float(h);
  }
}

}  // namespace motley::cpu
