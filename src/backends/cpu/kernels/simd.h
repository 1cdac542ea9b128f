// The handful of vector operations that kernels are written with. A kernel is one source, compiled once per instruction set into that
// set's namespace; here the names below get their meaning for the set being compiled.
//
//   F   16 floats        I   16 int32        B   64 bytes
//
//   F sum = zero();
//   for (; i + 16 <= n; i += 16) sum = fma(load(x + i), load(y + i), sum);
//   sum = fma(load_n(x + i, n - i), load_n(y + i, n - i), sum);   // the tail: lanes beyond n are zero
//   float dot = reduce_add(sum);
//
// The logical width is 16 on every set (one AVX-512 register, two of AVX2, four of NEON or SSE2), so packed layouts and the order of
// reductions are written down once. Everything here has internal linkage: see docs/decisions/0007-panels-of-sixteen-rows.md.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifndef MOTLEY_ISA
#error "MOTLEY_ISA names the namespace of the instruction set this file is compiled for"
#endif

#define MOTLEY_INLINE static inline __attribute__((always_inline))

#if defined(MOTLEY_ISA_GENERIC)
#include "backends/cpu/kernels/simd_generic.h"
#elif defined(__AVX512F__)
#include "backends/cpu/kernels/simd_avx512.h"
#elif defined(__AVX2__)
#include "backends/cpu/kernels/simd_avx2.h"
#elif defined(__ARM_NEON)
#include "backends/cpu/kernels/simd_neon.h"
#else
#include "backends/cpu/kernels/simd_generic.h"
#endif

namespace motley::cpu::MOTLEY_ISA {

// a - b * c
MOTLEY_INLINE F fnma(F b, F c, F a) { return fma(neg_sign(b), c, a); }
// n lanes of what load() would have read, for n of any size
MOTLEY_INLINE F load_n(const float* p, int64_t n) { return n >= 16 ? load(p) : load_part(p, static_cast<int>(n)); }
MOTLEY_INLINE void store_n(float* p, F x, int64_t n) {
  if (n >= 16)
    store(p, x);
  else
    store_part(p, x, static_cast<int>(n));
}

}  // namespace motley::cpu::MOTLEY_ISA
