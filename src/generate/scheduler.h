// Many sequences, one model: the scheduler decides what each step computes. Running sequences get their next token; what room is left goes
// to prompts, in chunks, in the order they came. Sequences join and leave between steps.
//
//   Scheduler scheduler(runner);
//   int64_t id = scheduler.submit({.prompt = ids, .max_tokens = 64, .stop_tokens = {2}});
//   while (!scheduler.idle())
//     for (const Event& e : scheduler.step()) ...
//
// A sequence is admitted when the pages for its prompt and all the tokens it may generate are there, so it never has to be put aside again. A beam
// search has them for each of its beams. Beams share the pages that they have in common; where two go on from one, the second computes what stood in
// the page that was not full once more, which gives the same bits and needs no copying on the device.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "generate/beam_search.h"
#include "generate/page_cache.h"
#include "generate/sampler.h"
#include "runtime/step_runner.h"

namespace motley {

struct Request {
  std::vector<int32_t> source = {};  // what an encoder reads before; of models that have one
  std::vector<int32_t> prompt;       // at least one token
  int64_t max_tokens = -1;           // generated at most; -1: as many as the context holds
  SamplerOptions sampling;
  std::vector<int32_t> stop_tokens;  // generation ends with any of these, which is reported as the last token
  // When set, called with the logits of each computed position in order: the prompt's, then the generated tokens' (no prefix is reused then).
  std::function<void(int64_t position, std::span<const float> logits)> on_logits;
  // More than one: the best text of a beam search, whose Events come all at once when it is over. Of `sampling` the logit bias counts.
  BeamOptions beams = {};
  int64_t begun = 0;                       // of the prompt's tokens those at its end that a text's length counts
  std::optional<int32_t> last_token = {};  // what a text ends with that max_tokens cuts
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
  // A text, or one of those that a beam search has under way.
  struct Beam {
    std::vector<int32_t> tokens;  // prompt and generated
    int64_t computed = 0;         // positions whose keys and values are in the cache
    std::vector<int32_t> pages;   // of a search they may be those of other beams too
    int64_t left() const { return static_cast<int64_t>(tokens.size()) - computed; }
  };
  struct Sequence {
    int64_t id;
    Request request;
    Sampler sampler;
    int64_t end = 0;  // tokens.size() at which it must stop
    std::vector<Beam> beams;
    std::optional<BeamSearch> search;
    std::vector<int32_t> pages, source_pages;  // all that it has
    bool in_prompt() const { return beams[0].tokens.size() == request.prompt.size(); }
    int64_t width() const { return request.beams.count; }
  };
  // What a sequence contributes to a step: `count` tokens of a beam, and where its rows of logits begin.
  struct Part {
    size_t sequence, beam;
    int64_t count, first_row, rows;
  };

  void admit();
  bool take_pages(Sequence& s);
  void read_sources(std::span<const size_t> fresh);
  void add_part(StepInputs& in, std::vector<Part>& parts, size_t sequence, size_t beam, int64_t count) const;
  std::vector<Part> fill(StepInputs& in);
  void publish_full_pages(const Beam& b, int64_t before);
  Event next_token(Sequence& s, std::span<const float> logits);
  void advance(Sequence& s, std::vector<Event>& events);
  void fork(Sequence& s, std::span<const BeamStep> steps) const;
  void finish(Sequence& s);
  bool reads_sources() const { return runner_.limits().source_tokens > 0; }
  int64_t running_beams() const;

  StepRunner& runner_;
  PageCache pages_, source_pages_;
  std::deque<Sequence> waiting_;
  std::vector<Sequence> running_;
  std::vector<Event> finished_;  // cancelled between steps
  std::vector<float> logits_;
  Totals totals_;
  int64_t next_id_ = 1;
};

}  // namespace motley
