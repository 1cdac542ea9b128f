// One sequence of a model, fed step by step as a session would: the keys and values of earlier steps stay in the cache. What runs it is
// the reference interpreter (reference_model.h) or the compiled path (compiled_model.h).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/step_runner.h"

namespace motley {

class TextModel {
 public:
  virtual ~TextModel() = default;
  virtual void reset() = 0;  // starts a new sequence
  // Appends tokens and returns the logits after each of them.
  virtual std::vector<std::vector<double>> step(const std::vector<int32_t>& tokens) = 0;
};

// A model at `path` for sequences of up to `context` tokens.
using MakeModel = std::function<std::unique_ptr<TextModel>(const std::string& path, int64_t context)>;

// The step that appends tokens at position `length` of the only sequence and asks for all logits. Pages are handed out from the last to
// the first, so that a mistake in the use of the table is not hidden by its being the identity.
StepInputs append_step(const std::vector<int32_t>& tokens, int32_t length, int64_t blocks, int64_t page_tokens);

std::vector<std::vector<double>> rows_of(std::vector<double> logits, size_t rows);

// The greedy continuation of a prompt; logits of every position that was fed are appended to `logits`.
std::vector<int32_t> greedy(TextModel& model, const std::vector<int32_t>& prompt, size_t steps, std::vector<std::vector<double>>& logits);

}  // namespace motley
