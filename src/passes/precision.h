// Automatic mixed precision: between the ops of chosen blocks, activations and their gradients are values of 16 bits; weights stay f32 (masters) and
// are rounded for the products of a step. What an op bears is said in its definition (Precision in ops/def.h); sums are always formed in f32.
// Micikevicius et al. 2018; Kalamkar et al. 2019.
//
//   Graph learning = autodiff(graph, {.scaled = true});                      // f16 needs a loss scale
//   learning = mixed_precision(learning, {.usual = Dtype::f16, .blocks = {{3, Dtype::f32}}});
//   Graph step = add_updates(learning, {.op = Adamw{}});
//
// Casts are nodes of the graph, so the reference interpreter and every device round alike. A device whose products read 16-bit values takes
// the casts into them; one that does not pays for them, which advise_precision() says beforehand.
//
// Who trains decides from step to step which block computes in what (a new graph of the same states) by looking at each block's outputs:
//
//   "peak 3"  f32[1]   the largest magnitude among gradients of block 3 before they are rounded, with the loss scale in it. Above the format's
//                      largest (65504 in f16) they became infinite, and the step is to be skipped; NaN where an earlier block's did
//   "lost 3"  f32[1]   of those gradients' elements that were not zero, the share that rounding made zero
//   "noise 3" f32[1]   the length of what rounding changed in them, relative to theirs: about 3e-4 in f16 and 2e-3 in bf16, more where they vanish
//
// The backward part goes from the last block to the first, so of several blocks that overflow the last one is the cause. Blocks in f32 are not
// watched.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "ir/graph.h"
#include "target/target.h"

namespace motley {

struct PrecisionPlan {
  Dtype usual = Dtype::bf16;         // of every block: f32, bf16 or f16. What lies outside the blocks is f32
  std::map<int, Dtype> blocks = {};  // that differ
  bool watch = true;                 // the outputs "peak", "lost" and "noise"

  Dtype of(int block) const;
  bool computes_in(Dtype dtype) const;  // in some block
};

inline constexpr std::string_view kPeakOutput = "peak ", kLostOutput = "lost ", kNoiseOutput = "noise ";  // and the block's number

// After autodiff and recompute, before add_updates.
Graph mixed_precision(const Graph& learning, const PrecisionPlan& plan);

struct PrecisionAdvice {
  Dtype dtype = Dtype::f32;
  std::string why;  // a sentence for the user
};

// The format in which the target learns fastest.
PrecisionAdvice advise_precision(const Target& target);

}  // namespace motley
