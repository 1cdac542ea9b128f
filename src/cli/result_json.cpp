#include "cli/result_json.h"

#include "io/json.h"

namespace motley {

std::string result_json(const OpenModel& model, const std::vector<int32_t>& prompt, const TextResult& result) {
  nlohmann::ordered_json out;
  out["text"] = model.tokenizer ? nlohmann::ordered_json(result.text) : nlohmann::ordered_json(nullptr);
  out["ids"] = result.ids;
  out["prompt_ids"] = prompt;
  out["finish_reason"] = result.finish_reason;
  out["plan"] = model.plan_name;
  out["timings"] = {{"load_s", model.session->load_seconds()},
                    {"prefill_s", result.prefill_seconds},
                    {"decode_s", result.decode_seconds},
                    {"prefill_tok_s", result.prefill_tokens_per_second},
                    {"decode_tok_s", result.decode_tokens_per_second}};
  bool with_logprobs = false;
  auto logprobs = nlohmann::ordered_json::array();
  for (const Sampled& s : result.tokens) {
    if (s.top.empty() && s.logprob == 0) continue;
    with_logprobs = true;
    auto top = nlohmann::ordered_json::array();
    for (const auto& [id, logprob] : s.top) top.push_back({{"id", id}, {"logprob", logprob}});
    logprobs.push_back({{"id", s.token}, {"logprob", s.logprob}, {"top", top}});
  }
  if (with_logprobs) out["logprobs"] = logprobs;
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string sample_json(const OpenModel& model, uint64_t seed, const TextResult& result) {
  nlohmann::ordered_json out;
  out["text"] = model.tokenizer ? nlohmann::ordered_json(result.text) : nlohmann::ordered_json(nullptr);
  out["ids"] = result.ids;
  out["seed"] = seed;
  out["finish_reason"] = result.finish_reason;
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace motley
