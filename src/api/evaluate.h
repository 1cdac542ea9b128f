// How good a model is on data with the right answers beside them: labels told, numbers told, answers written.
//
//   LabelEvaluation e = evaluate_labels({"runs/sentiment"}, {.data = {.path = "test.tsv", .label_column = "label"}}, {});
//   e.classes->accuracy, e.classes->macro.f1
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/encode_text.h"
#include "api/open_model.h"
#include "generate/scheduler.h"
#include "io/dataset/samples.h"
#include "metrics/bleu.h"
#include "metrics/classification.h"
#include "metrics/regression.h"

namespace motley {

struct LabelEvaluationOptions {
  ReaderOptions reader;
  DataOptions data;  // labels, classes and lengths are chosen by the model
};

struct LabelEvaluation {
  Task task = Task::classification;
  std::vector<std::string> labels;
  std::string data;                   // what was read
  std::vector<std::string> warnings;  // of the data
  int64_t samples = 0;
  double loss = 0;  // a sample's mean: cross-entropy; of several labels the mean of theirs; the squared error of numbers
  // The one of the task.
  std::optional<ClassificationScore> classes;
  std::optional<MultiLabelScore> several;  // a label is told where its logit is above 0
  std::optional<RegressionScore> numbers;
  double seconds = 0;
};

// Several models are one ensemble (api/ensemble.h). Error(usage) for models and data that do not go together.
LabelEvaluation evaluate_labels(std::span<const std::string> models, const LabelEvaluationOptions& options);

// Answers written to prompts, beside those that the data have. Of each sample the last stretch that counts is the answer, what stands before it the
// prompt.
struct AnswerEvaluation {
  int64_t answers = 0;
  int64_t left_out = 0;    // samples without a prompt, or longer than the context
  int64_t unfinished = 0;  // answers that were cut at max_tokens
  BleuScore bleu;
  double exact_match = 0;  // of the answers, those that are the given one but for white space around them
  double seconds = 0;
};

struct AnswerOptions {
  int64_t max_tokens = 256;
  BeamOptions beams = {};
};

// Each answer by the likeliest tokens or by beam search, as many prompts at once as the scheduler has room for. Error(usage) when there is nothing to
// answer.
AnswerEvaluation evaluate_answers(const OpenModel& model, Scheduler& scheduler, const Samples& samples, const AnswerOptions& options,
                                  const std::function<void(double fraction)>& progress);

}  // namespace motley
