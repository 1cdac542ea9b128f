#include "backends/cpu/layout.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "quant/format.h"
#include "quant/k_scales.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "target/target.h"
#include "tensor/half.h"

namespace motley::cpu {
namespace {

constexpr int kColumns = kPanelColumns;

// The stored numbers of one block beside its levels.
struct BlockScales {
  uint16_t d = 0, dmin = 0;
  uint8_t scale[16] = {}, min[16] = {};
};

template <class Block>
BlockScales with_d(const std::byte* p) {
  Block b;
  std::memcpy(&b, p, sizeof b);
  return {.d = b.d};
}
template <class Block>
BlockScales with_minimum(const std::byte* p) {  // the format adds m; panels subtract it
  Block b;
  std::memcpy(&b, p, sizeof b);
  return {.d = b.d, .dmin = static_cast<uint16_t>(b.m ^ 0x8000)};
}
template <class Block>
BlockScales with_k_scales(const std::byte* p) {
  Block b;
  std::memcpy(&b, p, sizeof b);
  BlockScales s{.d = b.d, .dmin = b.dmin};
  read_k_scales(b.scales, s.scale, s.min);
  return s;
}

BlockScales read_scales(BlockFormat format, const std::byte* p) {
  switch (format) {
    case kQ8_0:
      return with_d<BlockQ8_0>(p);
    case kQ4_0:
      return with_d<BlockQ4_0>(p);
    case kQ5_0:
      return with_d<BlockQ5_0>(p);
    case kQ4_1:
      return with_minimum<BlockQ4_1>(p);
    case kQ5_1:
      return with_minimum<BlockQ5_1>(p);
    case kQ4_K:
      return with_k_scales<BlockQ4_K>(p);
    case kQ5_K:
      return with_k_scales<BlockQ5_K>(p);
    case kQ2_K: {
      BlockQ2_K b;
      std::memcpy(&b, p, sizeof b);
      BlockScales s{.d = b.d, .dmin = b.dmin};
      std::memcpy(s.scale, b.scales, 16);
      return s;
    }
    case kQ3_K: {
      BlockQ3_K b;
      std::memcpy(&b, p, sizeof b);
      BlockScales s{.d = b.d};
      for (int g = 0; g < 16; ++g) {
        int low = g < 8 ? b.scales[g] & 15 : b.scales[g - 8] >> 4;
        int high = (b.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
        s.scale[g] = static_cast<uint8_t>((low | high << 4) - 32);
      }
      return s;
    }
    default: {
      BlockQ6_K b;
      std::memcpy(&b, p, sizeof b);
      BlockScales s{.d = b.d};
      std::memcpy(s.scale, b.scales, 16);
      return s;
    }
  }
}

// v[8][16][4] values of 32 k into the stored vectors of one section: v[i + n j] goes to bits bits * j of stored vector i, n = bits.
void store_section(const uint8_t* v, int from_bit, int bits, uint8_t* out) {
  auto mask = static_cast<uint8_t>((1 << bits) - 1);
  for (int i = 0; i < bits; ++i)
    for (int t = 0; t < 64; ++t) {
      unsigned byte = 0;
      for (int j = 0; j < 8 / bits; ++j) byte |= static_cast<unsigned>((v[64 * (i + bits * j) + t] >> from_bit) & mask) << (bits * j);
      out[64 * i + t] = static_cast<uint8_t>(byte);
    }
}

void store_scales(const BlockSpec& s, int column, const BlockScales& b, uint8_t* wide) {
  std::memcpy(wide + 2 * column, &b.d, 2);
  if (s.has_min) std::memcpy(wide + 2 * (kColumns + column), &b.dmin, 2);
  if (s.block == 32) return;
  int per_part = 32 / s.sub;
  for (int g = 0; g < s.block / s.sub; ++g) {
    uint8_t* at = wide + head_bytes(s) + g / per_part * part_bytes(s) + kColumns * (g % per_part) + column;
    at[0] = b.scale[g];
    if (s.has_min && !s.nibble_scale) at[mins_at(s)] = b.min[g];
  }
}

void pack_blocks(Dtype dtype, const std::byte* rows, int64_t stride, int num_rows, int64_t k, uint8_t* panel) {
  BlockFormat format = block_format(dtype);
  const BlockSpec& s = kBlockSpecs[format];
  const Format& levels_of = motley::format(dtype);
  int64_t block_bytes = info(dtype).block_bytes;
  // One strip at a time, so that its values stay in the first-level cache. A missing row's scales are zero, so its levels mean nothing; the
  // bias makes them the level zero.
  uint8_t v[256 / 32 * 512];
  for (int64_t b = 0; b < k / s.block; ++b, panel += wide_bytes(s)) {
    std::memset(panel, 0, static_cast<size_t>(head_bytes(s)));
    for (int part = 0; part < s.block / 32; ++part) std::memset(panel + head_bytes(s) + part * part_bytes(s), 0, static_cast<size_t>(strips_at(s)));
    for (int strip = 0; strip < kStrips; ++strip) {
      int first = strip * kStripColumns, count = std::clamp(num_rows - first, 0, kStripColumns);
      if (count < kStripColumns) std::memset(v, s.bias, sizeof v);
      for (int c = 0; c < count; ++c) {
        const std::byte* block = rows + (first + c) * stride + b * block_bytes;
        int8_t q[256];
        float unused_scale[16], unused_min[16];
        levels_of.levels(block, q, unused_scale, unused_min);
        for (int e = 0; e < s.block; e += 4)
          for (int j = 0; j < 4; ++j) v[e / 4 * 64 + 4 * c + j] = static_cast<uint8_t>(q[e + j] + s.bias);
        store_scales(s, first + c, read_scales(format, block), panel);
      }
      uint8_t* to = panel + head_bytes(s) + strips_at(s) + strip * strip_bytes(s);
      for (int part = 0; part < s.block / 32; ++part, to += part_bytes(s)) {
        store_section(v + 512 * part, 0, s.low_bits, to);
        if (s.high_bits) store_section(v + 512 * part, s.low_bits, s.high_bits, to + low_bytes(s));
      }
    }
  }
}

template <class Element>
void pack_floats(const std::byte* rows, int64_t stride, int num_rows, int64_t k, std::byte* panel) {
  auto* out = reinterpret_cast<Element*>(panel);
  constexpr int64_t kStrip = 64;  // so that the panel's lines stay in L1 while its rows pass over them
  for (int64_t begin = 0; begin < k; begin += kStrip) {
    int64_t end = std::min(k, begin + kStrip);
    for (int c = 0; c < kColumns; ++c) {
      const auto* row = reinterpret_cast<const Element*>(rows + c * stride);
      for (int64_t i = begin; i < end; ++i) out[i * kColumns + c] = c < num_rows ? row[i] : Element{0};
    }
  }
}

template <class Element>
void pack_float_columns(const std::byte* columns, int64_t stride, int num_columns, int64_t k, std::byte* panel) {
  auto* out = reinterpret_cast<Element*>(panel);
  for (int64_t i = 0; i < k; ++i) {
    std::memcpy(out + i * kColumns, columns + i * stride, static_cast<size_t>(num_columns) * sizeof(Element));
    std::fill(out + i * kColumns + num_columns, out + (i + 1) * kColumns, Element{0});
  }
}

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

void pack_panel(Dtype dtype, const std::byte* rows, int64_t stride, int num_rows, int64_t k, std::byte* panel) {
  if (is_block_format(dtype))
    pack_blocks(dtype, rows, stride, num_rows, k, reinterpret_cast<uint8_t*>(panel));
  else if (dtype == Dtype::f32)
    pack_floats<float>(rows, stride, num_rows, k, panel);
  else
    pack_floats<uint16_t>(rows, stride, num_rows, k, panel);
}

void pack_panel_of_columns(Dtype dtype, const std::byte* columns, int64_t stride, int num_columns, int64_t k, std::byte* panel) {
  if (dtype == Dtype::f32)
    pack_float_columns<float>(columns, stride, num_columns, k, panel);
  else
    pack_float_columns<uint16_t>(columns, stride, num_columns, k, panel);
}

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
