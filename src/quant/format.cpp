#include "quant/format.h"

#include <array>

#include "base/check.h"
#include "quant/plain.h"
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

namespace motley {
namespace {

// A format: one line. In the order of Dtype.
constexpr std::array kFormats = {
    Format{Dtype::f32, 0, unpack_f32, pack_f32},
    Format{Dtype::f16, 0, unpack_f16, pack_f16},
    Format{Dtype::bf16, 0, unpack_bf16, pack_bf16},
    Format{Dtype::q8_0, 32, unpack_q8_0, pack_q8_0, dot_q8_0},
    Format{Dtype::q4_0, 32, unpack_q4_0, pack_q4_0, dot_q4_0},
    Format{Dtype::q4_1, 32, unpack_q4_1, pack_q4_1, dot_q4_1},
    Format{Dtype::q5_0, 32, unpack_q5_0, pack_q5_0, dot_q5_0},
    Format{Dtype::q5_1, 32, unpack_q5_1, pack_q5_1, dot_q5_1},
    Format{Dtype::q2_k, 16, unpack_q2_k, pack_q2_k, dot_q2_k},
    Format{Dtype::q3_k, 16, unpack_q3_k, pack_q3_k, dot_q3_k},
    Format{Dtype::q4_k, 32, unpack_q4_k, pack_q4_k, dot_q4_k},
    Format{Dtype::q5_k, 32, unpack_q5_k, pack_q5_k, dot_q5_k},
    Format{Dtype::q6_k, 16, unpack_q6_k, pack_q6_k, dot_q6_k},
};

}  // namespace

const Format& format(Dtype dtype) {
  for (const Format& f : kFormats)
    if (f.dtype == dtype) return f;
  check(false, "whole numbers and f64 have no weight format");
  return kFormats[0];
}

}  // namespace motley
