#include "io/gguf_types.h"

#include <algorithm>
#include <array>

namespace motley {
namespace {

constexpr GgmlType supported(uint32_t id, const char* name, Dtype dtype, int64_t block, int64_t block_bytes) {
  return {id, name, dtype, block, block_bytes, name};
}
constexpr GgmlType foreign(uint32_t id, const char* name, int64_t block, int64_t block_bytes, const char* nearest) {
  return {id, name, std::nullopt, block, block_bytes, nearest};
}

constexpr std::array kTypes = {
    supported(0, "F32", Dtype::f32, 1, 4),
    supported(1, "F16", Dtype::f16, 1, 2),
    supported(2, "Q4_0", Dtype::q4_0, 32, 18),
    supported(3, "Q4_1", Dtype::q4_1, 32, 20),
    foreign(4, "Q4_2 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(5, "Q4_3 (removed from GGUF)", 0, 0, "Q4_1"),
    supported(6, "Q5_0", Dtype::q5_0, 32, 22),
    supported(7, "Q5_1", Dtype::q5_1, 32, 24),
    supported(8, "Q8_0", Dtype::q8_0, 32, 34),
    foreign(9, "Q8_1", 32, 36, "Q8_0"),
    supported(10, "Q2_K", Dtype::q2_k, 256, 84),
    supported(11, "Q3_K", Dtype::q3_k, 256, 110),
    supported(12, "Q4_K", Dtype::q4_k, 256, 144),
    supported(13, "Q5_K", Dtype::q5_k, 256, 176),
    supported(14, "Q6_K", Dtype::q6_k, 256, 210),
    foreign(15, "Q8_K", 256, 292, "Q8_0"),
    foreign(16, "IQ2_XXS", 256, 66, "Q8_0"),
    foreign(17, "IQ2_XS", 256, 74, "Q8_0"),
    foreign(18, "IQ3_XXS", 256, 98, "Q8_0"),
    foreign(19, "IQ1_S", 256, 50, "Q5_0"),
    foreign(20, "IQ4_NL", 32, 18, "Q8_0"),
    foreign(21, "IQ3_S", 256, 110, "Q5_0"),
    foreign(22, "IQ2_S", 256, 82, "Q8_0"),
    foreign(23, "IQ4_XS", 256, 136, "Q8_0"),
    supported(24, "I8", Dtype::i8, 1, 1),
    supported(25, "I16", Dtype::i16, 1, 2),
    supported(26, "I32", Dtype::i32, 1, 4),
    supported(27, "I64", Dtype::i64, 1, 8),
    supported(28, "F64", Dtype::f64, 1, 8),
    foreign(29, "IQ1_M", 256, 56, "Q6_K"),
    supported(30, "BF16", Dtype::bf16, 1, 2),
    foreign(31, "Q4_0_4_4 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(32, "Q4_0_4_8 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(33, "Q4_0_8_8 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(34, "TQ1_0", 256, 54, "Q2_K"),
    foreign(35, "TQ2_0", 256, 66, "Q2_K"),
    foreign(36, "IQ4_NL_4_4 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(37, "IQ4_NL_4_8 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(38, "IQ4_NL_8_8 (removed from GGUF)", 0, 0, "Q4_0"),
    foreign(39, "MXFP4", 32, 17, "Q5_0"),
    foreign(40, "NVFP4", 64, 36, "Q4_0"),
    foreign(41, "Q1_0", 128, 18, "Q2_K"),
};

}  // namespace

std::span<const GgmlType> ggml_types() { return kTypes; }

const GgmlType* find_ggml_type(uint32_t id) { return id < kTypes.size() ? &kTypes[id] : nullptr; }

std::optional<uint32_t> ggml_type_id(Dtype dtype) {
  auto it = std::find_if(kTypes.begin(), kTypes.end(), [&](const GgmlType& t) { return t.dtype == dtype; });
  if (it == kTypes.end()) return std::nullopt;
  return it->id;
}

}  // namespace motley
