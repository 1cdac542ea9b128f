// How packed weights lie in memory. A panel is 64 rows of a weight matrix [N, K] (64 outputs of a product) in the order in which a product
// reads them: one stream from front to back, whatever the format. Within it four strips of 16 rows are interleaved so that one vector holds
// the same k of 16 of them: a product never reduces across lanes, and the order of its sum does not depend on how many activation rows it
// serves. Every instruction set reads the same panels.
//
// Floats: [K][64]. Block formats: per block of the format (32 or 256 k, "wide block": of 64 columns) a head, then parts of 32 k each.
//   head   f16 d[64] (and f16 dmin[64])
//   part   for the K formats per sub-block of 16 or 32 a byte scale[64], after those as many min[64] (q2_k has both in the two halves of one
//          byte); then the four strips, each with
//          low    8-, 4- or 2-bit values; as bytes they are v[8][16][4], v[g][column][j] = element 4 g + j. A stored vector of 64 bytes
//                 s[i] holds v[i] in its low bits, then v[i + n], v[i + 2 n], ... in the higher ones (n stored vectors per 32 k).
//          high   the missing 1 or 2 upper bits in the same manner
// An element is d * scale * (value - bias) - dmin * min. Everything is a multiple of 64 bytes. Rows beyond N are zero. The scales lie where
// they are used: in the head they made every read of one a step off the stream, and a core that reads 30 GB/s read q4_k at 11.
#pragma once
#include <cstdint>

namespace motley::cpu {

constexpr int kStripColumns = 16;
constexpr int kStrips = 4;
constexpr int kPanelColumns = kStrips * kStripColumns;

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

// Bytes of the pieces of a wide block, and where in a part the minima and the strips begin.
static constexpr int64_t low_bytes(const BlockSpec& s) { return 64 * s.low_bits; }
static constexpr int64_t strip_bytes(const BlockSpec& s) { return 64 * (s.low_bits + s.high_bits); }
static constexpr int64_t head_bytes(const BlockSpec& s) { return (s.has_min ? 4 : 2) * kPanelColumns; }
static constexpr int64_t mins_at(const BlockSpec& s) { return s.block == 32 ? 0 : kPanelColumns * (32 / s.sub); }
static constexpr int64_t strips_at(const BlockSpec& s) { return s.has_min && !s.nibble_scale ? 2 * mins_at(s) : mins_at(s); }
static constexpr int64_t part_bytes(const BlockSpec& s) { return strips_at(s) + kStrips * strip_bytes(s); }
static constexpr int64_t wide_bytes(const BlockSpec& s) { return head_bytes(s) + s.block / 32 * part_bytes(s); }

static constexpr int64_t panel_bytes(const BlockSpec& s, int64_t k) { return k / s.block * wide_bytes(s); }
static constexpr int64_t float_panel_bytes(int64_t element_bytes, int64_t k) { return k * kPanelColumns * element_bytes; }

}  // namespace motley::cpu
