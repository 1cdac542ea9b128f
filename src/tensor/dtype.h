// Storage types of values and weights: what an element, or a block of elements, looks like in memory.
// Block formats are the GGUF ones (quant/ holds their layout); a row of n elements takes n / block * block_bytes bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace motley {

enum class Dtype : uint8_t { f32, f64, f16, bf16, i8, i16, i32, i64, u8, boolean, q8_0, q4_0, q4_1, q5_0, q5_1, q2_k, q3_k, q4_k, q5_k, q6_k };

struct DtypeInfo {
  Dtype dtype;
  const char* name;  // "f32", "q4_k": the spelling in text forms and flags
  int64_t block;     // elements per block, 1 for plain types
  int64_t block_bytes;
  bool quantised;
};

std::span<const DtypeInfo> dtypes();
const DtypeInfo& info(Dtype dtype);
inline const char* name(Dtype dtype) { return info(dtype).name; }
inline bool is_quantised(Dtype dtype) { return info(dtype).quantised; }
inline bool is_float(Dtype d) { return d == Dtype::f32 || d == Dtype::f64 || d == Dtype::f16 || d == Dtype::bf16; }
std::optional<Dtype> parse_dtype(std::string_view name);  // case-insensitive: "Q4_K" and "q4_k"

// Bytes of a row of n elements; n must be a multiple of the block.
inline int64_t row_bytes(Dtype dtype, int64_t n) { return n / info(dtype).block * info(dtype).block_bytes; }

}  // namespace motley
