#include "api/generate_text.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "api/generation_defaults.h"
#include "generate/text_stream.h"
#include "nn/families.h"

namespace motley {

namespace {

// A text as it grows, token by token.
class Answer {
 public:
  Answer(const OpenModel& model, Scheduler& scheduler, TextRequest request) : scheduler_(scheduler), on_text_(std::move(request.on_text)) {
    // Behind a prompt a first word keeps its space; what answers a source begins a text.
    const std::span<const int32_t> before = reads_sources(model.source.config) ? std::span<const int32_t>() : request.prompt;
    if (model.tokenizer) stream_.emplace(model.tokenizer, std::move(request.stop), before);
    Request r = request_for(model, std::move(request.prompt));
    r.max_tokens = request.max_tokens;
    std::ranges::copy(r.sampling.logit_bias, std::back_inserter(request.sampling.logit_bias));
    r.sampling = std::move(request.sampling);
    r.on_logits = std::move(request.on_logits);
    r.beams = request.beams;
    r.stop_tokens = std::move(request.stop_ids);
    if (!request.ignore_eos) std::ranges::copy(stop_tokens(model), std::back_inserter(r.stop_tokens));
    id_ = scheduler.submit(std::move(r));
  }

  int64_t id() const { return id_; }
  TextResult& result() { return result_; }

  // True when this was the last of it.
  bool take(const Event& event) {
    if (event.token) {
      result_.ids.push_back(event.token->token);
      result_.tokens.push_back(*event.token);
      // The token that ended the answer is no text.
      const bool ended = event.finish == FinishReason::stop;
      const bool wanted = !stream_ || ended || show(stream_->put(event.token->token));
      if (stream_ && stream_->stopped())
        cancel("stop", event);
      else if (!wanted && event.finish == FinishReason::none)
        cancel("cancelled", event);
    }
    if (event.finish != FinishReason::none && result_.finish_reason.empty()) result_.finish_reason = std::string(to_string(event.finish));
    if (result_.finish_reason.empty()) return false;
    if (stream_) show(stream_->finish());
    return true;
  }

 private:
  bool show(const std::string& piece) {
    result_.text += piece;
    return piece.empty() || !on_text_ || on_text_(piece);
  }
  void cancel(const char* why, const Event& event) {
    if (event.finish == FinishReason::none) scheduler_.cancel(id_);
    result_.finish_reason = why;
  }

  Scheduler& scheduler_;
  std::function<bool(std::string_view text)> on_text_;
  std::optional<TextStream> stream_;
  TextResult result_;
  int64_t id_ = 0;
};

}  // namespace

void generate_texts(OpenModel& model, Scheduler& scheduler, std::vector<TextRequest> requests,
                    const std::function<bool(size_t index, TextResult result)>& on_result) {
  std::map<int64_t, std::pair<size_t, Answer>> open;  // by the scheduler's id
  for (size_t i = 0; i < requests.size(); ++i) {
    Answer answer(model, scheduler, std::move(requests[i]));
    open.emplace(answer.id(), std::pair(i, std::move(answer)));
  }
  bool going = true;
  while (!scheduler.idle())
    for (const Event& event : scheduler.step()) {
      auto at = open.find(event.id);  // none: the last word of what was cancelled
      if (at == open.end() || !at->second.second.take(event)) continue;
      const size_t index = at->second.first;
      TextResult result = std::move(at->second.second.result());
      open.erase(at);
      if (going && !on_result(index, std::move(result))) {
        going = false;
        for (const auto& [id, rest] : open) scheduler.cancel(id);
        open.clear();
      }
    }
}

TextResult generate_text(OpenModel& model, Scheduler& scheduler, TextRequest request) {
  const auto before = scheduler.totals();
  TextResult result;
  std::vector<TextRequest> one;
  one.push_back(std::move(request));
  generate_texts(model, scheduler, std::move(one), [&](size_t, TextResult r) {
    result = std::move(r);
    return true;
  });
  const auto& after = scheduler.totals();
  result.reused_tokens = after.reused_tokens - before.reused_tokens;
  result.prefill_seconds = after.prompt_seconds - before.prompt_seconds;
  result.decode_seconds = after.generate_seconds - before.generate_seconds;
  auto rate = [](double n, double seconds) { return seconds > 0 ? n / seconds : 0; };
  result.prefill_tokens_per_second = rate(static_cast<double>(after.prompt_tokens - before.prompt_tokens), result.prefill_seconds);
  result.decode_tokens_per_second = rate(static_cast<double>(result.ids.size()) - 1, result.decode_seconds);
  return result;
}

}  // namespace motley
