// How well a model predicts a text: the mean negative log likelihood per token, over windows without overlap in which every token after the
// first is scored (the first has no past in its window).
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "generate/scheduler.h"

namespace motley {

struct Perplexity {
  double ppl = 0, nll = 0;  // nll: mean per scored token, natural logarithm
  int64_t tokens = 0;       // scored
};

Perplexity perplexity(Scheduler& scheduler, const std::vector<int32_t>& ids, int64_t window,
                      const std::function<void(double fraction, double ppl)>& progress);

}  // namespace motley
