#include "api/perplexity.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace motley {

Perplexity perplexity(Scheduler& scheduler, const std::vector<int32_t>& ids, int64_t window, const std::function<void(double, double)>& progress) {
  if (window < 2) fail(ErrorKind::usage, "perplexity", "windows need at least 2 tokens, got {}", window);
  double total = 0;
  int64_t scored = 0;
  for (size_t begin = 0; begin + 1 < ids.size(); begin += static_cast<size_t>(window)) {
    size_t size = std::min(static_cast<size_t>(window), ids.size() - begin);
    Request r;
    r.prompt.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(begin + size));
    r.max_tokens = 0;
    r.on_logits = [&](int64_t position, std::span<const float> logits) {
      auto next = static_cast<size_t>(position) + 1;
      if (next >= size) return;
      total += log_sum_exp(logits) - static_cast<double>(logits[static_cast<size_t>(ids[begin + next])]);
      ++scored;
    };
    scheduler.submit(std::move(r));
    while (!scheduler.idle()) scheduler.step();
    if (progress)
      progress(static_cast<double>(begin + size) / static_cast<double>(ids.size()),
               std::exp(total / static_cast<double>(std::max<int64_t>(1, scored))));
  }
  if (scored == 0) fail(ErrorKind::usage, "perplexity", "the text has {} tokens; at least 2 are needed", ids.size());
  double nll = total / static_cast<double>(scored);
  return {std::exp(nll), nll, scored};
}

}  // namespace motley
