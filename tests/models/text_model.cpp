#include "text_model.h"

#include <algorithm>
#include <numeric>

namespace motley {

StepInputs append_step(const std::vector<int32_t>& tokens, int32_t length, int64_t blocks, int64_t page_tokens) {
  StepInputs step;
  step.tokens = tokens;
  step.positions.resize(tokens.size());
  step.rows.resize(tokens.size());
  step.seq.assign(tokens.size(), 0);
  step.tables.resize(static_cast<size_t>(blocks));
  std::iota(step.positions.begin(), step.positions.end(), length);
  std::iota(step.rows.begin(), step.rows.end(), 0);
  std::iota(step.tables.rbegin(), step.tables.rend(), 1);
  const auto page = static_cast<int32_t>(page_tokens);
  for (int32_t p : step.positions) step.slots.push_back(step.tables[static_cast<size_t>(p / page)] * page + p % page);
  return step;
}

std::vector<std::vector<double>> rows_of(std::vector<double> logits, size_t rows) {
  const size_t vocab = logits.size() / rows;
  std::vector<std::vector<double>> out;
  for (size_t r = 0; r < rows; ++r) {
    auto begin = logits.begin() + static_cast<ptrdiff_t>(r * vocab);
    out.emplace_back(begin, begin + static_cast<ptrdiff_t>(vocab));
  }
  return out;
}

std::vector<int32_t> greedy(TextModel& model, const std::vector<int32_t>& prompt, size_t steps, std::vector<std::vector<double>>& logits) {
  std::vector<int32_t> tokens, feed = prompt;
  while (tokens.size() < steps) {
    for (auto& row : model.step(feed)) logits.push_back(std::move(row));
    const auto& last = logits.back();
    feed = {static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin())};
    tokens.push_back(feed[0]);
  }
  return tokens;
}

}  // namespace motley
