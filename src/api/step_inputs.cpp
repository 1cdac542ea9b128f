#include "api/step_inputs.h"

#include <algorithm>
#include <map>

#include "base/bits.h"
#include "nn/objective.h"

namespace motley {
namespace {

// Where the samples of a batch are, each of one text.
void find_samples(const BatchShape& shape, const Batch& b, LearningSession::Inputs& in) {
  const auto samples = static_cast<size_t>(shape.samples), width = b.labels.size() / samples;
  auto &last = in["last"] = b.first, &lengths = in["lengths"] = std::vector<int32_t>(samples, 0);
  for (size_t s = 0; s < samples; ++s) {
    if (b.labels[s * width] == static_cast<float>(kNoTarget)) continue;
    auto end = static_cast<size_t>(b.first[s]);
    while (end < b.seq.size() && b.seq[end] == b.seq[static_cast<size_t>(b.first[s])]) ++end;
    lengths[s] = static_cast<int32_t>(end) - b.first[s];
    last[s] = static_cast<int32_t>(end) - 1;
  }
}

void give_labels(const ModelConfig& config, const BatchShape& shape, const Batch& b, LearningSession::Inputs& in) {
  if (config.task == Task::classification) {
    auto& labels = in["labels"];
    for (float label : b.labels) labels.push_back(label < 0 ? kIgnoreTarget : static_cast<int32_t>(label));
    return;
  }
  const auto samples = static_cast<size_t>(shape.samples), width = b.labels.size() / samples;
  std::vector<float> values = b.labels, weights(samples, 0.0f);
  for (size_t s = 0; s < samples; ++s) weights[s] = b.labels[s * width] == static_cast<float>(kNoTarget) ? 0 : 1;
  for (float& v : values) v = v == static_cast<float>(kNoTarget) ? 0 : v;
  in["values"] = bits_of(values), in["value_weights"] = bits_of(weights);
}

// The texts of a sample lie one behind the other; their lengths stand where its labels would. Equal texts have equal numbers in the result,
// [texts * S], -1 where there is none.
std::vector<int32_t> part_texts(const BatchShape& shape, const Batch& b, LearningSession::Inputs& in) {
  const auto samples = static_cast<size_t>(shape.samples), texts = b.labels.size() / samples;
  for (const char* name : {"first", "last", "lengths"}) in[name].assign(texts * samples, 0);
  std::vector<int32_t> same(texts * samples, -1);
  std::map<std::vector<int32_t>, int32_t> seen;
  for (size_t s = 0; s < samples; ++s) {
    if (b.labels[s * texts] == static_cast<float>(kNoTarget)) continue;
    int32_t at = b.first[s];
    for (size_t k = 0; k < texts; ++k) {
      const auto length = static_cast<int32_t>(b.labels[s * texts + k]);
      const size_t place = k * samples + s;
      in["first"][place] = at, in["last"][place] = at + length - 1, in["lengths"][place] = length;
      for (int32_t i = 0; i < length; ++i) {
        in["positions"][static_cast<size_t>(at + i)] = i;
        in["seq"][static_cast<size_t>(at + i)] = static_cast<int32_t>(place);
      }
      const auto begin = b.tokens.begin() + at;
      same[place] = seen.try_emplace({begin, begin + length}, static_cast<int32_t>(seen.size())).first->second;
      at += length;
    }
  }
  return same;
}

// A candidate that says what the sample itself says, or answers the same first text, would be a wrong answer that is right.
void choose_candidates(const BatchShape& shape, const std::vector<int32_t>& same, LearningSession::Inputs& in) {
  const auto samples = static_cast<size_t>(shape.samples), candidates = same.size() - samples;
  auto& labels = in["labels"];
  std::vector<float> apart(samples * candidates, kApart);
  for (size_t s = 0; s < samples; ++s) {
    labels.push_back(same[s] < 0 ? kIgnoreTarget : static_cast<int32_t>(s));
    if (same[s] < 0) continue;
    for (size_t c = 0; c < candidates; ++c) {
      const int32_t text = same[samples + c];
      const bool of_its_kind = c < samples && same[c] == same[s];
      if (c == s || (text >= 0 && !of_its_kind && text != same[s] && text != same[samples + s])) apart[s * candidates + c] = 0;
    }
  }
  in["apart"] = bits_of(apart);
}

}  // namespace

LearningSession::Inputs step_inputs(const ModelConfig& config, const SpecialIds& special, const BatchShape& shape, const Batch& b) {
  LearningSession::Inputs in{{"tokens", b.tokens}, {"targets", b.targets}, {"positions", b.positions}, {"seq", b.seq}, {"first", b.first}};
  std::vector<int32_t> same;
  if (config.task == Task::embedding) same = part_texts(shape, b, in);
  const auto& seq = in["seq"];
  if (config.first_position > 0)
    for (size_t i = 0; i < seq.size(); ++i)
      if (seq[i] >= 0) in["positions"][i] += static_cast<int32_t>(config.first_position);
  if (config.token_types > 0) {
    auto& types = in["token_types"] = std::vector<int32_t>(b.tokens.size(), 0);
    for (size_t i = 1; i < types.size() && config.token_types > 1; ++i)  // b of [CLS] a [SEP] b [SEP]
      if (seq[i] >= 0 && seq[i] == seq[i - 1]) types[i] = types[i - 1] | (b.tokens[i - 1] == special.sep);
  }
  if (config.task == Task::embedding) {
    choose_candidates(shape, same, in);
  } else if (shape.samples > 0) {
    find_samples(shape, b, in);
    give_labels(config, shape, b, in);
  }
  return in;
}

int64_t count_right(const ModelConfig& config, const LearningSession::Outputs& outputs, const Batch& batch) {
  const auto& logits = outputs.at("logits");
  const bool pairs = config.task == Task::embedding;
  const size_t samples = batch.first.size(), width = logits.size() / samples, labels = batch.labels.size() / samples;
  int64_t right = 0;
  for (size_t s = 0; s < samples; ++s) {
    if (batch.labels[s * labels] == static_cast<float>(kNoTarget)) continue;
    auto row = logits.begin() + static_cast<std::ptrdiff_t>(s * width);
    const auto told = static_cast<size_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(width)) - row);
    right += told == (pairs ? s : static_cast<size_t>(batch.labels[s]));
  }
  return right;
}

}  // namespace motley
