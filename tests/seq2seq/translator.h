// tests/data/seq2seq: tiny random checkpoints of models with an encoder, with logits and texts made by the transformers package
// (tools/make_seq2seq_vectors.py), and what runs them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "api/open_model.h"
#include "generate/scheduler.h"
#include "io/json.h"

namespace motley {

std::vector<std::string> seq2seq_models();
std::string seq2seq_folder(const std::string& name);
Json seq2seq_reference(const std::string& name);

struct TranslatorOptions {
  int threads = 1;
  int64_t batch_tokens = 64, sequences = 5, page_tokens = 32;
  Dtype kv_type = Dtype::f32;
};
OpenModel open_translator(const std::string& name, const TranslatorOptions& options = {});

// The request for a text by the likeliest tokens.
Request greedy_request(const OpenModel& model, std::vector<int32_t> source, int64_t max_tokens);

// The tokens that the requests are answered with, all submitted at once.
std::vector<std::vector<int32_t>> answers(StepRunner& runner, std::vector<Request> requests);

// The logits that stand before each token of an answer.
std::vector<std::vector<float>> answer_logits(StepRunner& runner, Request request, std::span<const int32_t> answer);

}  // namespace motley
