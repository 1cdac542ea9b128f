// From the rows of a checkpoint to panels. A block format's values are moved four at a time, as the 32-bit words in which one column has four
// elements of a stored vector (kernels/panel.h), and the words of four columns together: no value is looked at alone.
#include <algorithm>
#include <cstring>

#include "backends/cpu/layout.h"
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

namespace motley::cpu {
namespace {

constexpr int kColumns = kPanelColumns;

// The stored numbers of one block beside its levels.
struct BlockScales {
  uint16_t d = 0, dmin = 0;
  uint8_t scale[16] = {}, min[16] = {};
};

template <class Block>
BlockScales scales_of(const Block& b) {
  return {.d = b.d};
}
template <class Block>
BlockScales with_minimum(const Block& b) {  // the format adds m; panels subtract it
  return {.d = b.d, .dmin = static_cast<uint16_t>(b.m ^ 0x8000)};
}
BlockScales scales_of(const BlockQ4_1& b) { return with_minimum(b); }
BlockScales scales_of(const BlockQ5_1& b) { return with_minimum(b); }
template <class Block>
BlockScales with_k_scales(const Block& b) {
  BlockScales s{.d = b.d, .dmin = b.dmin};
  read_k_scales(b.scales, s.scale, s.min);
  return s;
}
BlockScales scales_of(const BlockQ4_K& b) { return with_k_scales(b); }
BlockScales scales_of(const BlockQ5_K& b) { return with_k_scales(b); }
BlockScales scales_of(const BlockQ2_K& b) {
  BlockScales s{.d = b.d, .dmin = b.dmin};
  std::memcpy(s.scale, b.scales, 16);
  return s;
}
BlockScales scales_of(const BlockQ3_K& b) {
  BlockScales s{.d = b.d};
  for (int g = 0; g < 16; ++g) {
    int low = g < 8 ? b.scales[g] & 15 : b.scales[g - 8] >> 4;
    int high = (b.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
    s.scale[g] = static_cast<uint8_t>((low | high << 4) - 32);
  }
  return s;
}
BlockScales scales_of(const BlockQ6_K& b) {
  BlockScales s{.d = b.d};
  std::memcpy(s.scale, b.scales, 16);
  return s;
}

template <class Block, BlockFormat kFormat>
void store_scales(int column, const Block& block, uint8_t* wide) {
  constexpr const BlockSpec& s = kBlockSpecs[kFormat];
  if constexpr (s.block == 32 && !s.has_min) {
    std::memcpy(wide + 2 * column, &block.d, 2);
  } else {
    const BlockScales b = scales_of(block);
    std::memcpy(wide + 2 * column, &b.d, 2);
    if constexpr (s.has_min) std::memcpy(wide + 2 * (kColumns + column), &b.dmin, 2);
    constexpr int kPerPart = 32 / s.sub;
    for (int g = 0; s.block > 32 && g < s.block / s.sub; ++g) {
      uint8_t* at = wide + head_bytes(s) + g / kPerPart * part_bytes(s) + kColumns * (g % kPerPart) + column;
      at[0] = b.scale[g];
      if constexpr (s.has_min && !s.nibble_scale) at[mins_at(s)] = b.min[g];
    }
  }
}

// ---- the words of 32 elements of one block: low[low_bits], high[high_bits]

// Four words, as the processor has them; the compiler knows such vectors everywhere.
using Four = uint32_t __attribute__((vector_size(16)));

Four four(const uint8_t* p, int i = 0) {
  Four x;
  std::memcpy(&x, p + 16 * i, 16);
  return x;
}
Four repeat(uint32_t x) { return Four{x, x, x, x}; }

uint32_t word(const uint8_t* p, int i) {
  uint32_t w;
  std::memcpy(&w, p + 4 * i, 4);
  return w;
}
constexpr uint32_t kEveryByte = 0x01010101u;

struct Words {
  Four low[2], high;
};

// Bits shift .. shift + 4 of 32 bytes, as stored vectors of 4 bits.
Four gather_nibbles(const uint8_t* p, int shift) {
  const Four mask = repeat(kEveryByte * 15);
  return (four(p, 0) >> shift & mask) | (four(p, 1) >> shift & mask) << 4;
}

// The same for 1 and 2 bits: as many words.
template <int bits>
Four gather(const uint8_t* p, int shift) {
  uint32_t out[4] = {};
  for (int i = 0; i < bits; ++i)
    for (int j = 0; j < 8 / bits; ++j) out[i] |= ((word(p, i + bits * j) >> shift) & kEveryByte * ((1u << bits) - 1)) << (bits * j);
  return Four{out[0], out[1], 0, 0};
}

// Bits of 32 elements in one number, element e in bit e: byte j of the result has those of elements j, j + 4, ...
uint32_t spread_bits(const uint8_t* p) {
  uint32_t all = word(p, 0), out = 0;
  for (int j = 0; j < 4; ++j) {
    uint32_t x = (all >> j) & 0x11111111u;  // every fourth bit, drawn together in three steps
    x = (x | x >> 3) & 0x03030303u;
    x = (x | x >> 6) & 0x000F000Fu;
    x = (x | x >> 12) & 0xFFu;
    out |= x << (8 * j);
  }
  return out;
}

void words_of(const BlockQ8_0& b, int, Words& w) {
  const auto* q = reinterpret_cast<const uint8_t*>(b.q);
  for (int i = 0; i < 2; ++i) w.low[i] = four(q, i) ^ repeat(0x80808080u);
}
// Bytes hold elements e and e + 16: just what a stored vector wants.
void words_of(const BlockQ4_0& b, int, Words& w) { w.low[0] = four(b.q); }
void words_of(const BlockQ4_1& b, int, Words& w) { w.low[0] = four(b.q); }
void words_of(const BlockQ5_0& b, int, Words& w) { w.low[0] = four(b.q), w.high = Four{spread_bits(b.high)}; }
void words_of(const BlockQ5_1& b, int, Words& w) { w.low[0] = four(b.q), w.high = Four{spread_bits(b.high)}; }
void words_of(const BlockQ4_K& b, int part, Words& w) { w.low[0] = gather_nibbles(b.q + 32 * (part / 2), part % 2 * 4); }
void words_of(const BlockQ5_K& b, int part, Words& w) {
  w.low[0] = gather_nibbles(b.q + 32 * (part / 2), part % 2 * 4);
  w.high = gather<1>(b.high, part);
}
void words_of(const BlockQ2_K& b, int part, Words& w) { w.low[0] = gather<2>(b.q + 32 * (part / 4), part % 4 * 2); }
void words_of(const BlockQ3_K& b, int part, Words& w) {
  w.low[0] = gather<2>(b.q + 32 * (part / 4), part % 4 * 2);
  w.high = gather<1>(b.high, part);
}
void words_of(const BlockQ6_K& b, int part, Words& w) {  // per 128: elements l, l + 32 in low halves, l + 64, l + 96 in high ones
  w.low[0] = gather_nibbles(b.low + 64 * (part / 4) + 32 * (part % 2), part % 4 / 2 * 4);
  w.high = gather<2>(b.high + 32 * (part / 4), part % 4 * 2);
}

// Word i of each of four columns, beside each other at to + i * stride, for i < count.
void store_across(Four a, Four b, Four c, Four d, int count, uint8_t* to, int64_t stride) {
  const Four ab = __builtin_shuffle(a, b, Four{0, 4, 1, 5}), cd = __builtin_shuffle(c, d, Four{0, 4, 1, 5});
  const Four ab2 = __builtin_shuffle(a, b, Four{2, 6, 3, 7}), cd2 = __builtin_shuffle(c, d, Four{2, 6, 3, 7});
  const Four out[4] = {__builtin_shuffle(ab, cd, Four{0, 1, 4, 5}), __builtin_shuffle(ab, cd, Four{2, 3, 6, 7}),
                       __builtin_shuffle(ab2, cd2, Four{0, 1, 4, 5}), __builtin_shuffle(ab2, cd2, Four{2, 3, 6, 7})};
  for (int i = 0; i < count; ++i) std::memcpy(to + i * stride, &out[i], 16);
}

template <class Block, BlockFormat kFormat>
void pack_blocks(const std::byte* rows, int64_t stride, int num_rows, int64_t k, uint8_t* panel) {
  constexpr const BlockSpec& s = kBlockSpecs[kFormat];
  constexpr int kTogether = 4;
  for (int64_t b = 0; b < k / s.block; ++b, panel += wide_bytes(s)) {
    if (num_rows < kColumns) std::memset(panel, 0, static_cast<size_t>(wide_bytes(s)));
    for (int column = 0; column < num_rows; column += kTogether) {
      const int n = std::min(kTogether, num_rows - column);
      Block block[kTogether];
      for (int c = 0; c < n; ++c) {
        std::memcpy(&block[c], rows + (column + c) * stride + b * static_cast<int64_t>(sizeof(Block)), sizeof(Block));
        store_scales<Block, kFormat>(column + c, block[c], panel);
      }
      uint8_t* to = panel + head_bytes(s) + strips_at(s) + column / kStripColumns * strip_bytes(s) + 4 * (column % kStripColumns);
      for (int part = 0; part < s.block / 32; ++part, to += part_bytes(s)) {
        Words w[kTogether] = {};
        for (int c = 0; c < n; ++c) words_of(block[c], part, w[c]);
        for (int i = 0; i < s.low_bits; i += 4)
          store_across(w[0].low[i / 4], w[1].low[i / 4], w[2].low[i / 4], w[3].low[i / 4], std::min(s.low_bits - i, 4), to + 64 * i, 64);
        if constexpr (s.high_bits > 0) store_across(w[0].high, w[1].high, w[2].high, w[3].high, s.high_bits, to + low_bytes(s), 64);
      }
    }
  }
}

using PackBlocks = void (*)(const std::byte* rows, int64_t stride, int num_rows, int64_t k, uint8_t* panel);
constexpr PackBlocks kPackBlocks[kNumBlockFormats] = {
    pack_blocks<BlockQ8_0, kQ8_0>, pack_blocks<BlockQ4_0, kQ4_0>, pack_blocks<BlockQ4_1, kQ4_1>, pack_blocks<BlockQ5_0, kQ5_0>,
    pack_blocks<BlockQ5_1, kQ5_1>, pack_blocks<BlockQ2_K, kQ2_K>, pack_blocks<BlockQ3_K, kQ3_K>, pack_blocks<BlockQ4_K, kQ4_K>,
    pack_blocks<BlockQ5_K, kQ5_K>, pack_blocks<BlockQ6_K, kQ6_K>,
};

// ---- floats

template <class Element>
void pack_floats(const std::byte* rows, int64_t stride, int num_rows, int64_t k, std::byte* panel) {
  auto* out = reinterpret_cast<Element*>(panel);
  constexpr int64_t kStrip = 64;  // so that the panel's lines stay in L1 while its rows pass over them
  constexpr int kTogether = 4;
  for (int64_t begin = 0; begin < k; begin += kStrip) {
    const int64_t end = std::min(k, begin + kStrip);
    int c = 0;
    if constexpr (sizeof(Element) == 4) {
      for (; c + kTogether <= num_rows; c += kTogether) {
        const auto* row = reinterpret_cast<const uint8_t*>(rows + c * stride);
        int64_t i = begin;
        for (; i + kTogether <= end; i += kTogether)
          store_across(four(row + 4 * i), four(row + stride + 4 * i), four(row + 2 * stride + 4 * i), four(row + 3 * stride + 4 * i), kTogether,
                       reinterpret_cast<uint8_t*>(out + i * kColumns + c), kColumns * 4);
        for (; i < end; ++i)
          for (int j = 0; j < kTogether; ++j) std::memcpy(out + i * kColumns + c + j, row + j * stride + 4 * i, 4);
      }
    }
    for (; c < kColumns; ++c) {
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

}  // namespace

void pack_panel(Dtype dtype, const std::byte* rows, int64_t stride, int num_rows, int64_t k, std::byte* panel) {
  if (is_block_format(dtype))
    kPackBlocks[block_format(dtype)](rows, stride, num_rows, k, reinterpret_cast<uint8_t*>(panel));
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

}  // namespace motley::cpu
