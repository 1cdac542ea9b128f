// Prompts and answers: what `motley run` and `motley chat` do with a model, and the shortest example of a scheduler's client.
//
//   TextResult answer = generate_text(model, scheduler, {.prompt = ids, .max_tokens = 64});
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/open_model.h"
#include "generate/scheduler.h"

namespace motley {

struct TextRequest {
  std::vector<int32_t> prompt;  // what the model continues, or reads with its encoder
  int64_t max_tokens = -1;
  SamplerOptions sampling;
  BeamOptions beams;
  std::vector<std::string> stop;
  std::vector<int32_t> stop_ids;  // tokens that end the text beside the model's own
  bool ignore_eos = false;
  std::function<void(int64_t position, std::span<const float> logits)> on_logits;
  std::function<bool(std::string_view text)> on_text;  // false ends the answer
};

struct TextResult {
  std::string text;          // without the prompt; empty when the model has no tokenizer
  std::vector<int32_t> ids;  // generated, with the end token that stopped it
  std::vector<Sampled> tokens;
  std::string finish_reason;  // "stop", "length", "cancelled"
  int64_t reused_tokens = 0;
  double prefill_seconds = 0, decode_seconds = 0;
  double prefill_tokens_per_second = 0, decode_tokens_per_second = 0;
};

TextResult generate_text(OpenModel& model, Scheduler& scheduler, TextRequest request);

// Many at once, as many in a step as the plan has sequences. on_result gets each when it is finished, whose times are not measured; false
// ends the rest.
void generate_texts(OpenModel& model, Scheduler& scheduler, std::vector<TextRequest> requests,
                    const std::function<bool(size_t index, TextResult result)>& on_result);

}  // namespace motley
