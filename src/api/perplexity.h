// How well a model predicts texts: the mean negative log likelihood per token, over windows without overlap in which every token after the first is
// scored (the first has no past in its window).
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "api/open_model.h"
#include "generate/scheduler.h"
#include "io/dataset/samples.h"

namespace motley {

struct Perplexity {
  double ppl = 0, nll = 0;  // nll: mean per scored token, natural logarithm
  int64_t tokens = 0;       // scored
};

using PerplexityProgress = std::function<void(double fraction, double ppl)>;
Perplexity perplexity(Scheduler& scheduler, const std::vector<int32_t>& ids, int64_t window, const PerplexityProgress& progress);

// Of samples without labels, each with windows of its own; of those with marks only what counts is scored, such as answers.
Perplexity perplexity(Scheduler& scheduler, const Samples& samples, int64_t window, const PerplexityProgress& progress);

// Of texts that an encoder reads: the nll of the answers that the samples have (DataOptions::answers).
Perplexity answer_perplexity(const OpenModel& model, Scheduler& scheduler, const Samples& samples, const PerplexityProgress& progress);

}  // namespace motley
