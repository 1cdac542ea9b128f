// Block formats that model files have and no kernel reads: code books (IQ1 to IQ4) and 4-bit floats (MXFP4). A weight in one of them is
// kept, once it is loaded, as the nearest type that products are computed with. stored.cpp is the table; a family of formats is a file.
//
//   const StoredFormat& f = *find_stored_format("IQ4_XS");
//   f.block, f.block_bytes                        // 256, 136
//   keep(f, bytes, blocks, n);                    // blocks: row_bytes(f.kept, n) of type f.kept
//   unpack(f, bytes, floats, n);                  // the numbers that the file means
//
// Promises:
// - unpack gives the bits that the `gguf` package gives;
// - any bytes are a block;
// - keep writes the file's own levels, and rounds at most the scale of each 32 elements to a 16-bit float (quant/from_levels.h). Two formats
//   whose scales change every 16 elements, IQ2_XS and IQ2_S, are packed anew into q8_0: off by at most 1/254 of the largest of 32.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "tensor/dtype.h"

namespace motley {

struct StoredFormat {
  const char* name;  // as GGUF spells it
  int64_t block, block_bytes;
  int group;                                                    // elements that share a scale: 32 or 16
  Dtype kept;                                                   // what it becomes; its blocks divide this one's
  void (*levels)(const void* block, int8_t* q, float* scale);   // x = scale[i / group] * q[i], exact in float
  void (*keep_block)(const void* block, void* kept) = nullptr;  // null: the levels as they are, or packed anew where groups are of 16
};

std::span<const StoredFormat> stored_formats();
const StoredFormat* find_stored_format(std::string_view name);  // null for others

// n: whole blocks.
void unpack(const StoredFormat& format, const void* blocks, float* out, int64_t n);
void keep(const StoredFormat& format, const void* blocks, void* out, int64_t n);

}  // namespace motley
