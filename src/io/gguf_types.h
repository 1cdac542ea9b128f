// The tensor types that GGUF files use, by ggml's numbers: those this program computes with (they have a Dtype) and those it only knows
// by name and size, so that a file with such a tensor can still be listed, checked, and refused with a helpful sentence. Some of the latter
// have a reader in quant/stored.h and are turned into their nearest type by whoever loads a model (Checkpoint).
//
//   const GgmlType* type = find_ggml_type(12);   // {12, "Q4_K", Dtype::q4_k, 256, 144}
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "tensor/dtype.h"

namespace motley {

struct GgmlType {
  uint32_t id;
  const char* name;            // ggml's spelling
  std::optional<Dtype> dtype;  // nothing: known by name only
  int64_t block = 0;           // elements per block; 0: a type that ggml itself has removed, its layout is not known here
  int64_t block_bytes = 0;
  const char* nearest = "";  // for a type without a Dtype, the one to convert to
};

std::span<const GgmlType> ggml_types();
const GgmlType* find_ggml_type(uint32_t id);        // null for a number nobody has given a meaning yet
std::optional<uint32_t> ggml_type_id(Dtype dtype);  // nothing for u8 and bool, which GGUF tensors cannot have

}  // namespace motley
