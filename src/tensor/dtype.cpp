#include "tensor/dtype.h"

#include <array>

#include "base/text.h"

namespace motley {
namespace {

constexpr std::array kDtypes = {
    DtypeInfo{Dtype::f32, "f32", 1, 4, false},      DtypeInfo{Dtype::f64, "f64", 1, 8, false},      DtypeInfo{Dtype::f16, "f16", 1, 2, false},
    DtypeInfo{Dtype::bf16, "bf16", 1, 2, false},    DtypeInfo{Dtype::i8, "i8", 1, 1, false},        DtypeInfo{Dtype::i16, "i16", 1, 2, false},
    DtypeInfo{Dtype::i32, "i32", 1, 4, false},      DtypeInfo{Dtype::i64, "i64", 1, 8, false},      DtypeInfo{Dtype::u8, "u8", 1, 1, false},
    DtypeInfo{Dtype::boolean, "bool", 1, 1, false}, DtypeInfo{Dtype::q8_0, "q8_0", 32, 34, true},   DtypeInfo{Dtype::q4_0, "q4_0", 32, 18, true},
    DtypeInfo{Dtype::q4_1, "q4_1", 32, 20, true},   DtypeInfo{Dtype::q5_0, "q5_0", 32, 22, true},   DtypeInfo{Dtype::q5_1, "q5_1", 32, 24, true},
    DtypeInfo{Dtype::q2_k, "q2_k", 256, 84, true},  DtypeInfo{Dtype::q3_k, "q3_k", 256, 110, true}, DtypeInfo{Dtype::q4_k, "q4_k", 256, 144, true},
    DtypeInfo{Dtype::q5_k, "q5_k", 256, 176, true}, DtypeInfo{Dtype::q6_k, "q6_k", 256, 210, true},
};

}  // namespace

std::span<const DtypeInfo> dtypes() { return kDtypes; }
const DtypeInfo& info(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)]; }

std::optional<Dtype> parse_dtype(std::string_view text) {
  std::string lower = lower_ascii(text);
  for (const auto& d : kDtypes)
    if (lower == d.name) return d.dtype;
  return std::nullopt;
}

}  // namespace motley
