#include "quant/stored.h"

#include <algorithm>
#include <array>

#include "quant/format.h"
#include "quant/from_levels.h"
#include "quant/iq1.h"
#include "quant/iq2.h"
#include "quant/iq3.h"
#include "quant/iq4.h"
#include "quant/mxfp4.h"

namespace motley {
namespace {

// A format: one line.
constexpr std::array kStored = {
    StoredFormat{"IQ4_NL", 32, 18, 32, Dtype::q8_0, levels_iq4_nl},  StoredFormat{"IQ4_XS", 256, 136, 32, Dtype::q8_0, levels_iq4_xs},
    StoredFormat{"MXFP4", 32, 17, 32, Dtype::q5_0, levels_mxfp4},    StoredFormat{"IQ3_XXS", 256, 98, 32, Dtype::q8_0, levels_iq3_xxs},
    StoredFormat{"IQ3_S", 256, 110, 32, Dtype::q5_0, levels_iq3_s},  StoredFormat{"IQ2_XXS", 256, 66, 32, Dtype::q8_0, levels_iq2_xxs},
    StoredFormat{"IQ2_XS", 256, 74, 16, Dtype::q8_0, levels_iq2_xs}, StoredFormat{"IQ2_S", 256, 82, 16, Dtype::q8_0, levels_iq2_s},
    StoredFormat{"IQ1_S", 256, 50, 32, Dtype::q5_0, levels_iq1_s},   StoredFormat{"IQ1_M", 256, 56, 16, Dtype::q6_k, levels_iq1_m, keep_iq1_m},
};

constexpr int64_t kLargestBlock = 256;

void unpack_block(const StoredFormat& f, const std::byte* block, float* out) {
  int8_t q[kLargestBlock];
  float scale[kLargestBlock / 16];
  f.levels(block, q, scale);
  for (int64_t i = 0; i < f.block; ++i) out[i] = scale[i / f.group] * static_cast<float>(q[i]);
}

}  // namespace

std::span<const StoredFormat> stored_formats() { return kStored; }

const StoredFormat* find_stored_format(std::string_view name) {
  auto it = std::ranges::find(kStored, name, &StoredFormat::name);
  return it == kStored.end() ? nullptr : &*it;
}

void unpack(const StoredFormat& f, const void* blocks, float* out, int64_t n) {
  const auto* block = static_cast<const std::byte*>(blocks);
  for (int64_t i = 0; i < n; i += f.block, block += f.block_bytes) unpack_block(f, block, out + i);
}

void keep(const StoredFormat& f, const void* blocks, void* out, int64_t n) {
  const auto* block = static_cast<const std::byte*>(blocks);
  auto* kept = static_cast<std::byte*>(out);
  const int64_t step = row_bytes(f.kept, f.block), part = info(f.kept).block_bytes;
  for (int64_t i = 0; i < n; i += f.block, block += f.block_bytes, kept += step) {
    if (f.keep_block) {
      f.keep_block(block, kept);
    } else if (f.group == 32) {
      int8_t q[kLargestBlock];
      float scale[kLargestBlock / 16];
      f.levels(block, q, scale);
      const WriteLevels write = level_writer(f.kept);
      for (int64_t g = 0; g < f.block / 32; ++g) write(q + 32 * g, scale[g], kept + g * part);
    } else {
      float x[kLargestBlock];
      unpack_block(f, block, x);
      format(f.kept).pack(x, kept, f.block);
    }
  }
}

}  // namespace motley
