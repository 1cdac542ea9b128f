#include "api/perplexity.h"

#include <algorithm>
#include <cmath>

#include "api/generation_defaults.h"
#include "base/error.h"

namespace motley {
namespace {

class Scoring {
 public:
  Scoring(Scheduler& scheduler, int64_t window) : scheduler_(scheduler), window_(static_cast<size_t>(window)) {
    if (window < 2) fail(ErrorKind::usage, "perplexity", "windows need at least 2 tokens, got {}", window);
  }

  // counts: a mark for each token; empty: all count. after: called behind each window with the tokens that were read of this text.
  void read(std::span<const int32_t> ids, std::span<const uint8_t> counts, const std::function<void(size_t read)>& after) {
    for (size_t begin = 0; begin + 1 < ids.size(); begin += window_) {
      const size_t size = std::min(window_, ids.size() - begin);
      const auto marks = counts.empty() ? counts : counts.subspan(begin, size);
      if (!marks.empty() && std::find(marks.begin() + 1, marks.end(), uint8_t{1}) == marks.end()) continue;
      Request r;
      r.prompt.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.begin() + static_cast<std::ptrdiff_t>(begin + size));
      r.max_tokens = 0;
      r.on_logits = [&](int64_t position, std::span<const float> logits) {
        auto next = static_cast<size_t>(position) + 1;
        if (next >= size || (!marks.empty() && marks[next] == 0)) return;
        total_ += log_sum_exp(logits) - static_cast<double>(logits[static_cast<size_t>(ids[begin + next])]);
        ++scored_;
      };
      scheduler_.submit(std::move(r));
      while (!scheduler_.idle()) scheduler_.step();
      after(begin + size);
    }
  }

  // The logits at each position of an answer that is given: what stands before a token of it tells that token.
  void read_answer(Request r, std::span<const int32_t> answer) {
    const auto first = static_cast<int64_t>(r.prompt.size()) - r.begun;  // position of the token that tells the second, counted from 1
    r.prompt.resize(static_cast<size_t>(first));
    r.prompt.insert(r.prompt.end(), answer.begin(), answer.end() - 1);
    r.max_tokens = 0;
    r.on_logits = [&](int64_t position, std::span<const float> logits) {
      const int64_t at = position - first + 1;
      if (at < 0) return;
      total_ += log_sum_exp(logits) - static_cast<double>(logits[static_cast<size_t>(answer[static_cast<size_t>(at)])]);
      ++scored_;
    };
    scheduler_.submit(std::move(r));
    while (!scheduler_.idle()) scheduler_.step();
  }

  int64_t scored() const { return scored_; }
  double nll() const { return total_ / static_cast<double>(std::max<int64_t>(1, scored_)); }
  Perplexity result() const { return {std::exp(nll()), nll(), scored_}; }

 private:
  Scheduler& scheduler_;
  size_t window_;
  double total_ = 0;
  int64_t scored_ = 0;
};

}  // namespace

Perplexity perplexity(Scheduler& scheduler, const std::vector<int32_t>& ids, int64_t window, const PerplexityProgress& progress) {
  Scoring scoring(scheduler, window);
  scoring.read(ids, {}, [&](size_t read) {
    if (progress) progress(static_cast<double>(read) / static_cast<double>(ids.size()), std::exp(scoring.nll()));
  });
  if (scoring.scored() == 0) fail(ErrorKind::usage, "perplexity", "the text has {} tokens; at least 2 are needed", ids.size());
  return scoring.result();
}

Perplexity answer_perplexity(const OpenModel& model, Scheduler& scheduler, const Samples& samples, const PerplexityProgress& progress) {
  Scoring scoring(scheduler, 2);
  for (int64_t i = 0; i < samples.size(); ++i) {
    const auto ids = samples.ids(i);
    const auto scored = samples.scored(i);
    const auto source = static_cast<size_t>(std::ranges::find(scored, uint8_t{1}) - scored.begin());
    if (source == ids.size()) continue;
    scoring.read_answer(request_for(model, {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(source)}), ids.subspan(source));
    if (progress) progress(static_cast<double>(i + 1) / static_cast<double>(samples.size()), std::exp(scoring.nll()));
  }
  if (scoring.scored() == 0) fail(ErrorKind::usage, "perplexity", "none of the {} samples has an answer", samples.size());
  return scoring.result();
}

Perplexity perplexity(Scheduler& scheduler, const Samples& samples, int64_t window, const PerplexityProgress& progress) {
  Scoring scoring(scheduler, window);
  const auto all = static_cast<double>(samples.tokens());
  double before = 0;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const auto ids = samples.ids(i);
    scoring.read(ids, samples.scored(i), [&](size_t read) {
      if (progress) progress((before + static_cast<double>(read)) / all, std::exp(scoring.nll()));
    });
    before += static_cast<double>(ids.size());
  }
  if (scoring.scored() == 0) fail(ErrorKind::usage, "perplexity", "none of the {} samples has a token that counts", samples.size());
  return scoring.result();
}

}  // namespace motley
