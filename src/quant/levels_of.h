// For tests: the whole numbers of one block of any format, with its scales and minima.
#pragma once
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
#include "tensor/dtype.h"

namespace motley {

template <class Block, class L>
void copy_levels(const void* block, int8_t* q, float* scale, float* min) {
  L levels;
  read_levels(*static_cast<const Block*>(block), levels);
  for (int i = 0; i < L::kElements; ++i) q[i] = levels.q[i];
  for (int g = 0; g < L::kGroups; ++g) scale[g] = levels.scale[g], min[g] = levels.min[g];
}

inline void levels_of(Dtype dtype, const void* block, int8_t* q, float* scale, float* min) {
  switch (dtype) {
    case Dtype::q8_0:
      return copy_levels<BlockQ8_0, LevelsQ8_0>(block, q, scale, min);
    case Dtype::q4_0:
      return copy_levels<BlockQ4_0, LevelsQ4_0>(block, q, scale, min);
    case Dtype::q4_1:
      return copy_levels<BlockQ4_1, LevelsQ4_1>(block, q, scale, min);
    case Dtype::q5_0:
      return copy_levels<BlockQ5_0, LevelsQ5_0>(block, q, scale, min);
    case Dtype::q5_1:
      return copy_levels<BlockQ5_1, LevelsQ5_1>(block, q, scale, min);
    case Dtype::q2_k:
      return copy_levels<BlockQ2_K, LevelsQ2_K>(block, q, scale, min);
    case Dtype::q3_k:
      return copy_levels<BlockQ3_K, LevelsQ3_K>(block, q, scale, min);
    case Dtype::q4_k:
      return copy_levels<BlockQ4_K, LevelsQ4_K>(block, q, scale, min);
    case Dtype::q5_k:
      return copy_levels<BlockQ5_K, LevelsQ5_K>(block, q, scale, min);
    case Dtype::q6_k:
      return copy_levels<BlockQ6_K, LevelsQ6_K>(block, q, scale, min);
    default:
      return;
  }
}

}  // namespace motley
