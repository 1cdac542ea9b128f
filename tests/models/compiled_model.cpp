#include "compiled_model.h"

#include "api/devices.h"

namespace motley {

CompiledModel::CompiledModel(const std::string& path, int64_t context, int threads) {
  auto checkpoint = std::make_shared<const Checkpoint>(Checkpoint::open(path));
  ModelSource source = model_from_checkpoint(checkpoint, context);
  Plan plan;
  plan.threads = threads;
  plan.context = source.config.built_context();
  plan.batch_tokens = plan.rows = plan.context;
  plan.page_tokens = 16;
  plan.pages = plan.blocks() + 1;
  plan.kv_type = Dtype::f32;
  session_ = std::make_unique<Session>(source, plan, open_device("cpu", {.threads = threads}), SessionOptions{});
}

std::vector<std::vector<double>> CompiledModel::step(const std::vector<int32_t>& tokens) {
  const StepLimits& limits = session_->limits();
  std::vector<float> logits(tokens.size() * static_cast<size_t>(limits.vocab));
  session_->run(append_step(tokens, length_, limits.blocks, limits.page_tokens), logits);
  length_ += static_cast<int32_t>(tokens.size());
  return rows_of({logits.begin(), logits.end()}, tokens.size());
}

}  // namespace motley
