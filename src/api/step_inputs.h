// A batch of data as the inputs of a step (nn/objective.h says what each holds), and what the step's answers to it are worth.
//
//   LearningSession::Inputs in = step_inputs(config, tokenizer.special(), shape, batch);
//   int64_t right = count_right(config, session.evaluate(in), batch);
#pragma once
#include "control/learning.h"
#include "io/dataset/batches.h"
#include "io/tokenizer/tokenizer.h"
#include "nn/config.h"

namespace motley {

LearningSession::Inputs step_inputs(const ModelConfig& config, const SpecialIds& special, const BatchShape& shape, const Batch& batch);

// Of classes the samples whose likeliest label is the given one; of embeddings those whose second text is the nearest of all candidates.
int64_t count_right(const ModelConfig& config, const LearningSession::Outputs& outputs, const Batch& batch);

}  // namespace motley
