#include "api/generate_text.h"

#include <algorithm>
#include <set>

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

TextResult generate_text(OpenModel& model, Scheduler& scheduler, TextRequest request) {
  TextResult result;
  auto before = scheduler.totals();
  auto ends = stop_tokens(model);
  Request r{.prompt = request.prompt,
            .max_tokens = request.max_tokens,
            .sampling = request.sampling,
            .stop_tokens = {},
            .on_logits = std::move(request.on_logits)};
  if (!request.ignore_eos) r.stop_tokens = ends;
  int64_t id = scheduler.submit(std::move(r));
  std::optional<TextStream> stream;
  if (model.tokenizer) stream.emplace(model.tokenizer, request.stop, request.prompt);
  auto show = [&](const std::string& piece) {
    result.text += piece;
    return piece.empty() || !request.on_text || request.on_text(piece);
  };
  bool going = true;
  while (going && !scheduler.idle()) {
    for (const Event& event : scheduler.step()) {
      if (event.id != id) continue;
      if (event.token) {
        result.ids.push_back(event.token->token);
        result.tokens.push_back(*event.token);
        // The token that ended the answer is no text.
        bool ended = event.finish == FinishReason::stop;
        bool wanted = !stream || ended || show(stream->put(event.token->token));
        if (stream && stream->stopped()) {
          scheduler.cancel(id);
          result.finish_reason = "stop";
          going = false;
        } else if (!wanted && event.finish == FinishReason::none) {
          scheduler.cancel(id);
          result.finish_reason = "cancelled";
          going = false;
        }
      }
      if (event.finish != FinishReason::none && result.finish_reason.empty()) {
        result.finish_reason = std::string(to_string(event.finish));
        going = false;
      }
    }
  }
  while (!scheduler.idle()) scheduler.step();  // the cancelled event
  if (stream) show(stream->finish());
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
