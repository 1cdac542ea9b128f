// How a step of training is cut to fit the memory: rows computed at once, how many times, and how much of the forward part is computed again
// instead of kept. What a cut needs is asked of the compiler, not estimated.
//
//   CutChoice choice = choose_cut({.batch = 16, .length = 512, .limit_bytes = limit}, [&](const StepCut& cut) { return memory_bytes(compile(cut));
//   });
//
// Among the cuts that fit, the one that takes the least time by a rough model: computing everything again is a third more work, and a micro-batch
// costs as much as some rows of its own, since it reads every weight and adds up every gradient.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "passes/recompute.h"

namespace motley {

struct StepCut {
  int64_t rows = 1, micro_batches = 1;
  Recompute recompute = Recompute::none;
  bool operator==(const StepCut&) const = default;
};

struct CutWishes {
  std::optional<int64_t> batch = std::nullopt;  // rows of a step; nothing: the most that fit at once, up to most_rows
  std::optional<int64_t> rows = std::nullopt;   // of a micro-batch
  std::optional<Recompute> recompute = std::nullopt;
  int64_t length = 1, most_rows = 1;
  int64_t limit_bytes = 0;
};

struct CutChoice {
  StepCut cut;
  int64_t bytes = 0;
  bool fits = false;                    // false: cut is the smallest that was tried
  std::vector<std::string> notes = {};  // what did not fit, and what therefore was chosen
};

// bytes: of a step so cut. Error(usage) where a batch is no multiple of its micro-batch.
CutChoice choose_cut(const CutWishes& wishes, const std::function<int64_t(const StepCut& cut)>& bytes);

}  // namespace motley
