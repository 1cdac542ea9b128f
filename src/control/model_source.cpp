#include "control/model_source.h"

#include "io/sentence_modules.h"
#include "nn/heads.h"
#include "nn/weights.h"

namespace motley {
namespace {

// A sentence-transformers folder says beside config.json how its texts become vectors; config.json may still name what the model was made of.
void apply_sentence_modules(const Checkpoint& checkpoint, ModelConfig& config) {
  if (checkpoint.format() != CheckpointFormat::hf || has_labels(config.task) || config.task == Task::question_answering) return;
  const auto modules = read_sentence_modules(checkpoint.folder());
  if (!modules) return;
  config = with_task(config, Task::embedding, {});
  config.pooling = modules->pooling == "mean" ? Pooling::mean : modules->pooling == "cls" ? Pooling::first : Pooling::last;
  config.normalise = modules->normalise;
  config.context = modules->max_tokens;
}

// What the functions of a ModelSource share.
struct CheckpointModel {
  CheckpointModel(std::shared_ptr<const Checkpoint> c, int64_t context)
      : checkpoint(std::move(c)), config(read_config(*checkpoint)), weights(config, *checkpoint) {
    apply_sentence_modules(*checkpoint, config);
    if (context > 0) config.context = context;
  }
  CheckpointModel(const CheckpointModel&) = delete;  // weights refers to config
  CheckpointModel& operator=(const CheckpointModel&) = delete;
  std::shared_ptr<const Checkpoint> checkpoint;
  ModelConfig config;
  WeightMap weights;
};

}  // namespace

Tensor read_state(const ModelSource& source, const std::string& state) {
  Tensor lent = source.load(state);
  if (lent.owns_bytes() || !source.read_part) return lent;
  Tensor own = Tensor::zeros(lent.dtype(), lent.shape());
  return source.read_part(state, 0, {own.mutable_bytes(), own.size_bytes()}) ? own : lent;
}

ModelSource model_from_checkpoint(std::shared_ptr<const Checkpoint> checkpoint, int64_t context) {
  auto model = std::make_shared<CheckpointModel>(std::move(checkpoint), context);
  return {
      .name = model->checkpoint->path(),
      .config = model->config,
      .types = model->weights.types(),
      .load = [model](const std::string& state) { return model->weights.load(state); },
      .read_part = [model](const std::string& state, uint64_t from, std::span<std::byte> to) { return model->weights.read_part(state, from, to); },
      .drop = [model](const std::string& state) { model->weights.drop(state); },
  };
}

}  // namespace motley
