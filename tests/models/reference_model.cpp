#include "reference_model.h"

#include <algorithm>
#include <numeric>

#include "ops/builder.h"

namespace motley {

ReferenceModel::ReferenceModel(const std::string& path, int64_t context) : checkpoint_(Checkpoint::open(path)), config_(read_config(checkpoint_)) {
  config_.context = context;
  weights_ = std::make_unique<WeightMap>(config_, checkpoint_);
  limits_.page_tokens = 4;
  limits_.blocks = (config_.built_context() + limits_.page_tokens - 1) / limits_.page_tokens;
  limits_.pages = limits_.blocks + 1;
  limits_.tokens = limits_.rows = config_.built_context();
  limits_.sequences = 1;
  Builder b(limits_, weights_->types());
  build_model(b, config_);
  interpreter_ =
      std::make_unique<Interpreter>(b.take(), [this](const std::string& name) { return name.ends_with("_cache") ? Tensor() : weights_->load(name); });
}

void ReferenceModel::reset() { length_ = 0; }

std::vector<std::vector<double>> ReferenceModel::step(const std::vector<int32_t>& tokens) {
  const auto count = static_cast<int32_t>(tokens.size());
  std::vector<int32_t> positions(tokens.size()), rows(tokens.size()), slots, tables(static_cast<size_t>(limits_.blocks));
  std::iota(positions.begin(), positions.end(), length_);
  std::iota(rows.begin(), rows.end(), 0);
  // Pages in reverse, so that a mistake in the table's use is not hidden by its being the identity.
  std::iota(tables.rbegin(), tables.rend(), 1);
  const auto page = static_cast<int32_t>(limits_.page_tokens);
  for (int32_t p : positions) slots.push_back(tables[static_cast<size_t>(p / page)] * page + p % page);
  auto out = interpreter_->run({.T = count, .S = 1, .R = count},
                               {{"tokens", tokens},
                                {"positions", positions},
                                {"slots", slots},
                                {"seq", std::vector<int32_t>(tokens.size(), 0)},
                                {"tables", tables},
                                {"rows", rows}},
                               observer);
  length_ += count;
  const std::vector<double>& all = out.at("logits").data;
  std::vector<std::vector<double>> logits;
  for (size_t i = 0; i < tokens.size(); ++i) {
    auto begin = all.begin() + static_cast<ptrdiff_t>(i) * config_.vocab;
    logits.emplace_back(begin, begin + config_.vocab);
  }
  return logits;
}

std::vector<int32_t> greedy(ReferenceModel& model, const std::vector<int32_t>& prompt, size_t steps, std::vector<std::vector<double>>& logits) {
  std::vector<int32_t> tokens;
  std::vector<int32_t> feed = prompt;
  while (tokens.size() < steps) {
    for (auto& row : model.step(feed)) logits.push_back(std::move(row));
    const auto& last = logits.back();
    feed = {static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin())};
    tokens.push_back(feed[0]);
  }
  return tokens;
}

}  // namespace motley
