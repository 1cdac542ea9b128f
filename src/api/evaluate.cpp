#include "api/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "api/ensemble.h"
#include "api/generation_defaults.h"
#include "base/error.h"
#include "base/text.h"
#include "generate/sampler.h"
#include "nn/families.h"

namespace motley {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// [CLS] a [SEP] b [SEP]: b is another segment, for models that know of two.
std::vector<int32_t> segments(std::span<const int32_t> ids, const ModelConfig& config, int32_t separator) {
  std::vector<int32_t> types(ids.size(), 0);
  for (size_t i = 1; i < ids.size() && config.token_types > 1; ++i) types[i] = types[i - 1] | (ids[i - 1] == separator);
  return types;
}

Samples read_for(const TextReader& reader, const DataOptions& given, const std::vector<std::string>& labels) {
  DataOptions o = given;
  const Task task = reader.config().task;
  o.labels = task == Task::regression ? LabelKind::values : task == Task::multi_label ? LabelKind::several : LabelKind::classes;
  o.classes = task == Task::regression ? std::vector<std::string>{} : labels;
  o.max_tokens = reader.session->longest_text();
  Samples samples = read_samples(o, *reader.tokenizer);
  const auto width = task == Task::classification ? 1 : reader.session->width();
  if (samples.label_width() != width)
    fail(ErrorKind::usage, "eval", "{} has {} numbers for each text, and the model tells {}", given.path, samples.label_width(), width);
  return samples;
}

void score_class_labels(const JointLogits& joint, const Samples& samples, LabelEvaluation& e) {
  std::vector<int32_t> truth, told;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const auto& logits = joint.logits[static_cast<size_t>(i)];
    truth.push_back(static_cast<int32_t>(samples.labels(i)[0]));
    told.push_back(static_cast<int32_t>(std::ranges::max_element(logits) - logits.begin()));
    e.loss += log_sum_exp(logits) - static_cast<double>(logits[static_cast<size_t>(truth.back())]);
  }
  e.classes = score_classes(truth, told, static_cast<int64_t>(e.labels.size()));
}

void score_several_labels(const JointLogits& joint, const Samples& samples, LabelEvaluation& e) {
  std::vector<uint8_t> truth, told;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const auto& logits = joint.logits[static_cast<size_t>(i)];
    double loss = 0;
    for (size_t l = 0; l < logits.size(); ++l) {
      const auto x = static_cast<double>(logits[l]), y = static_cast<double>(samples.labels(i)[l]);
      loss += std::max(x, 0.0) - x * y + std::log1p(std::exp(-std::fabs(x)));
      truth.push_back(y > 0.5), told.push_back(x > 0);
    }
    e.loss += loss / static_cast<double>(logits.size());
  }
  e.several = score_multi_label(truth, told, static_cast<int64_t>(e.labels.size()));
}

void score_values(const JointLogits& joint, const Samples& samples, LabelEvaluation& e) {
  std::vector<float> truth, told;
  for (int64_t i = 0; i < samples.size(); ++i) {
    const auto labels = samples.labels(i);
    truth.insert(truth.end(), labels.begin(), labels.end());
    const auto& values = joint.logits[static_cast<size_t>(i)];
    told.insert(told.end(), values.begin(), values.end());
  }
  e.numbers = score_numbers(truth, told);
  e.loss = e.numbers->mse * static_cast<double>(samples.size());
}

struct Question {
  std::vector<int32_t> prompt;
  std::string answer;
};

// The last stretch that counts, and what stands before it.
std::optional<Question> question_of(const Samples& samples, int64_t i, const Tokenizer& tokenizer) {
  const auto ids = samples.ids(i);
  const auto scored = samples.scored(i);
  size_t end = scored.size();
  while (end > 0 && scored[end - 1] == 0) --end;
  size_t begin = end;
  while (begin > 0 && scored[begin - 1] != 0) --begin;
  if (begin == 0 || begin == end) return std::nullopt;
  return Question{{ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(begin)},
                  std::string(trim(tokenizer.decode(ids.subspan(begin, end - begin), {.skip_special = true})))};
}

}  // namespace

LabelEvaluation evaluate_labels(std::span<const std::string> models, const LabelEvaluationOptions& options) {
  const auto start = Clock::now();
  LabelEvaluation e;
  std::optional<Samples> samples;  // as the first model reads them
  const JointLogits joint = joint_logits(models, options.reader, [&](TextReader& reader) {
    const bool first = !samples;
    if (first) e.labels = reader.config().labels;
    const Samples read = read_for(reader, options.data, e.labels);
    if (first) samples = read;
    if (read.size() != samples->size())
      fail(ErrorKind::usage, "eval", "{} reads {} texts of {} and the first model {}", reader.path, read.size(), options.data.path, samples->size());
    std::vector<Sample> texts;
    for (int64_t i = 0; i < read.size(); ++i) {
      const auto ids = read.ids(i);
      texts.push_back({{ids.begin(), ids.end()}, segments(ids, reader.config(), reader.tokenizer->special().sep)});
    }
    return reader.session->run(texts);
  });
  e.task = joint.config.task;
  e.samples = samples->size();
  e.data = samples->description();
  e.warnings = samples->warnings();
  if (e.task == Task::classification)
    score_class_labels(joint, *samples, e);
  else if (e.task == Task::multi_label)
    score_several_labels(joint, *samples, e);
  else
    score_values(joint, *samples, e);
  e.loss /= static_cast<double>(e.samples);
  e.seconds = seconds_since(start);
  return e;
}

AnswerEvaluation evaluate_answers(const OpenModel& model, Scheduler& scheduler, const Samples& samples, const AnswerOptions& options,
                                  const std::function<void(double)>& progress) {
  const auto start = Clock::now();
  AnswerEvaluation e;
  const std::vector<int32_t> stops = stop_tokens(model);
  std::map<int64_t, size_t> numbers;  // of the answers, by the scheduler's
  std::vector<std::string> expected;
  std::vector<std::vector<int32_t>> ids;
  for (int64_t i = 0; i < samples.size(); ++i) {
    auto q = question_of(samples, i, *model.tokenizer);
    const bool reads = reads_sources(model.source.config);  // then the prompt takes no room of the answer
    if (!q || static_cast<int64_t>(q->prompt.size()) + (reads ? 0 : options.max_tokens) > scheduler.context()) {
      ++e.left_out;
      continue;
    }
    Request r = request_for(model, std::move(q->prompt));
    r.max_tokens = options.max_tokens;
    r.sampling.temperature = 0;
    r.stop_tokens = stops;
    r.beams = options.beams;
    numbers[scheduler.submit(std::move(r))] = expected.size();
    expected.push_back(std::move(q->answer));
  }
  if (expected.empty())
    fail(ErrorKind::usage, "eval", "none of the {} samples has a prompt and an answer that fit a context of {} with {} new tokens", samples.size(),
         scheduler.context(), options.max_tokens);
  ids.resize(expected.size());
  size_t done = 0;
  while (!scheduler.idle())
    for (const Event& event : scheduler.step()) {
      auto& answer = ids[numbers.at(event.id)];
      if (event.token && event.finish != FinishReason::stop) answer.push_back(event.token->token);
      e.unfinished += event.finish == FinishReason::length;
      if (event.finish != FinishReason::none && progress) progress(static_cast<double>(++done) / static_cast<double>(expected.size()));
    }
  std::vector<std::string> written;
  int64_t exact = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    written.emplace_back(trim(model.tokenizer->decode(ids[i], {.skip_special = true})));
    exact += written.back() == expected[i];
  }
  e.answers = static_cast<int64_t>(expected.size());
  e.bleu = corpus_bleu(written, expected);
  e.exact_match = static_cast<double>(exact) / static_cast<double>(e.answers);
  e.seconds = seconds_since(start);
  return e;
}

}  // namespace motley
