// How packed weights lie in memory. A panel is 16 rows of a weight matrix [N, K] (16 outputs of a product), interleaved so that one vector
// holds the same k of all 16: a product reads panels from front to back and never reduces across lanes, and the order of its sum does not
// depend on how many activation rows it serves. Every instruction set reads the same panels.
//
// Floats: [K][16]. Block formats: three sections one after the other, each for the whole of K,
//   low    per 32 k: 8-, 4- or 2-bit values; as bytes they are v[8][16][4], v[g][column][j] = element 4 g + j. A stored vector of 64 bytes
//          s[i] holds v[i] in its low bits, then v[i + n], v[i + 2 n], ... in the higher ones (n stored vectors per 32 k).
//   high   per 32 k: the missing 1 or 2 upper bits in the same manner
//   scale  per block of the format: f16 d[16] (and f16 dmin[16]), then for the K formats per sub-block of 16 or 32 a byte scale[16]
//          (and min[16]; q2_k has both in the two halves of one byte)
// An element is d * scale * (value - bias) - dmin * min. A panel's size is rounded up to 64 bytes. Rows beyond N are zero.
#pragma once
#include <cstdint>

namespace motley::cpu {

constexpr int kPanelColumns = 16;

enum BlockFormat : int { kQ8_0, kQ4_0, kQ4_1, kQ5_0, kQ5_1, kQ2_K, kQ3_K, kQ4_K, kQ5_K, kQ6_K, kNumBlockFormats };

struct BlockSpec {
  int low_bits;
  int high_bits;
  int bias;
  int sub;    // elements that share a scale
  int block;  // elements of a block of the format: 32 or 256
  bool has_min;
  bool signed_scale;  // of the scale bytes
  bool nibble_scale;  // scale and min in one byte
};

static constexpr BlockSpec kBlockSpecs[kNumBlockFormats] = {
    {8, 0, 128, 32, 32, false, false, false},  // q8_0
    {4, 0, 8, 32, 32, false, false, false},    // q4_0
    {4, 0, 0, 32, 32, true, false, false},     // q4_1 (adds its minimum: packed with the sign turned)
    {4, 1, 16, 32, 32, false, false, false},   // q5_0
    {4, 1, 0, 32, 32, true, false, false},     // q5_1
    {2, 0, 0, 16, 256, true, false, true},     // q2_k
    {2, 1, 4, 16, 256, false, true, false},    // q3_k
    {4, 0, 0, 32, 256, true, false, false},    // q4_k
    {4, 1, 0, 32, 256, true, false, false},    // q5_k
    {4, 2, 32, 16, 256, false, true, false},   // q6_k
};

// Bytes of a section per 32 k, and of the scales per block.
static constexpr int64_t low_bytes(const BlockSpec& s) { return 64 * s.low_bits; }
static constexpr int64_t high_bytes(const BlockSpec& s) { return 64 * s.high_bits; }
static constexpr int64_t scale_bytes(const BlockSpec& s) {
  int64_t halves = s.has_min ? 64 : 32;
  if (s.block == 32) return halves;
  int64_t bytes = 16 * (s.block / s.sub);
  return halves + (s.has_min && !s.nibble_scale ? 2 * bytes : bytes);
}
static constexpr int64_t panel_bytes(const BlockSpec& s, int64_t k) {
  int64_t n = k / 32 * (low_bytes(s) + high_bytes(s)) + k / s.block * scale_bytes(s);
  return (n + 63) / 64 * 64;
}
static constexpr int64_t float_panel_bytes(int64_t element_bytes, int64_t k) { return (k * kPanelColumns * element_bytes + 63) / 64 * 64; }

// Where the sections of one panel are, from some block on.
struct Panel {
  const uint8_t* low;
  const uint8_t* high;
  const uint8_t* scale;
};
static constexpr Panel panel_at(const BlockSpec& s, const uint8_t* panel, int64_t k, int64_t from_k) {
  const uint8_t* high = panel + k / 32 * low_bytes(s);
  const uint8_t* scale = high + k / 32 * high_bytes(s);
  return {panel + from_k / 32 * low_bytes(s), high + from_k / 32 * high_bytes(s), scale + from_k / s.block * scale_bytes(s)};
}

}  // namespace motley::cpu
