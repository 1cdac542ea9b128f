#include "reference_model.h"

#include "nn/families.h"
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

std::vector<std::vector<double>> ReferenceModel::step(const std::vector<int32_t>& tokens) {
  const auto count = static_cast<int32_t>(tokens.size());
  const StepInputs step = append_step(tokens, length_, limits_.blocks, limits_.page_tokens);
  auto out = interpreter_->run({.T = count, .S = 1, .R = count},
                               {{"tokens", step.tokens},
                                {"positions", step.positions},
                                {"slots", step.slots},
                                {"seq", step.seq},
                                {"tables", step.tables},
                                {"rows", step.rows}},
                               observer);
  length_ += count;
  return rows_of(std::move(out.at("logits").data), tokens.size());
}

}  // namespace motley
