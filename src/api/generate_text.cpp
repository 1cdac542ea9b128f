#include "api/generate_text.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "generate/text_stream.h"
#include "io/json.h"

namespace motley {

std::vector<int32_t> stop_tokens(const OpenModel& model) {
  std::set<int32_t> ids;
  if (model.tokenizer) ids.insert(model.tokenizer->end_of_generation().begin(), model.tokenizer->end_of_generation().end());
  for (int64_t id : model.source.config.eos) ids.insert(static_cast<int32_t>(id));
  const Json& config = model.checkpoint->generation_config();
  if (config.is_object() && config.contains("eos_token_id")) {
    const Json& eos = config["eos_token_id"];
    auto add = [&](const Json& id) {
      if (id.is_number_integer() && id.get<int64_t>() >= 0 && id.get<int64_t>() < model.source.config.vocab) ids.insert(id.get<int32_t>());
    };
    if (eos.is_array())
      std::ranges::for_each(eos, add);
    else
      add(eos);
  }
  return {ids.begin(), ids.end()};
}

SamplerOptions default_sampling(const Checkpoint& checkpoint) {
  SamplerOptions options;
  const Json& config = checkpoint.generation_config();
  if (!config.is_object()) return options;
  const std::string what = checkpoint.folder() + "/generation_config.json";
  auto number = [&](const char* key, float& value) {
    if (auto v = json_find_double(config, key, what)) value = static_cast<float>(*v);
  };
  number("temperature", options.temperature);
  number("top_p", options.top_p);
  number("min_p", options.min_p);
  number("typical_p", options.typical_p);
  number("repetition_penalty", options.repeat_penalty);
  if (auto k = json_find_int(config, "top_k", what)) options.top_k = *k;
  return options;
}

namespace {

// A text as it grows, token by token.
class Answer {
 public:
  Answer(const OpenModel& model, Scheduler& scheduler, TextRequest request)
      : scheduler_(scheduler), on_text_(std::move(request.on_text)) {
    if (model.tokenizer) stream_.emplace(model.tokenizer, std::move(request.stop), request.prompt);
    Request r{.prompt = std::move(request.prompt),
              .max_tokens = request.max_tokens,
              .sampling = std::move(request.sampling),
              .stop_tokens = {},
              .on_logits = std::move(request.on_logits)};
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
