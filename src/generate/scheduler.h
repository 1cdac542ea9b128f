// Many sequences, one model: the scheduler decides what each step computes. Running sequences get their next token; what room is left goes
// to prompts, in chunks, in the order they came. Sequences join and leave between steps.
//
//   Scheduler scheduler(runner);
//   int64_t id = scheduler.submit({.prompt = ids, .max_tokens = 64, .stop_tokens = {2}});
//   while (!scheduler.idle())
//     for (const Event& e : scheduler.step()) ...
//
// A sequence is admitted when the pages for its prompt and all the tokens it may generate are there, so it never has to be put aside again.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "generate/page_cache.h"
#include "generate/sampler.h"
#include "runtime/step_runner.h"

namespace motley {

struct Request {
  std::vector<int32_t> prompt;  // at least one token
  int64_t max_tokens = -1;      // generated at most; -1: as many as the context holds
  SamplerOptions sampling;
  std::vector<int32_t> stop_tokens;  // generation ends with any of these, which is reported as the last token
  // When set, called with the logits of each computed position in order: the prompt's, then the generated tokens' (no prefix is reused then).
  std::function<void(int64_t position, std::span<const float> logits)> on_logits;
};

enum class FinishReason : uint8_t { none, stop, length, cancelled };
std::string_view to_string(FinishReason reason);

struct Event {
  int64_t id = 0;
  std::optional<Sampled> token;  // none: finished without one (max_tokens 0)
  FinishReason finish = FinishReason::none;
};

class Scheduler {
 public:
  explicit Scheduler(StepRunner& runner);

  // Error(usage) when the prompt is empty, has an id outside the vocabulary, or does not fit the context with at least one more token.
  int64_t submit(Request request);
  void cancel(int64_t id);  // takes effect at once; its Event comes with the next step()
  std::vector<Event> step();
  bool idle() const { return waiting_.empty() && running_.empty() && finished_.empty(); }

  // Totals since the start, for reports.
  struct Totals {
    int64_t steps = 0, prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
    double prompt_seconds = 0, generate_seconds = 0;  // steps that held any prompt token count as prompt time
  };
  const Totals& totals() const { return totals_; }
  int64_t pages_in_use() const { return pages_.in_use(); }
  int64_t context() const { return runner_.limits().blocks * runner_.limits().page_tokens; }

 private:
  struct Sequence {
    int64_t id;
    Request request;
    Sampler sampler;
    std::vector<int32_t> tokens;  // prompt and generated
    int64_t computed = 0;         // positions whose keys and values are in the cache
    int64_t end = 0;              // tokens.size() at which it must stop
    std::vector<int32_t> pages;
    bool in_prompt() const { return computed < static_cast<int64_t>(request.prompt.size()); }
  };

  void admit();
  void publish_full_pages(Sequence& s, int64_t before);
  void finish(Sequence& s);

  StepRunner& runner_;
  PageCache pages_;
  std::deque<Sequence> waiting_;
  std::vector<Sequence> running_;
  std::vector<Event> finished_;  // cancelled between steps
  std::vector<float> logits_;
  Totals totals_;
  int64_t next_id_ = 1;
};

}  // namespace motley
