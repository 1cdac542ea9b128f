#include "nn/objective.h"

#include "base/error.h"
#include "nn/families.h"
#include "ops/builder.h"

namespace motley {

void build_objective(Builder& b, const ModelConfig& config, const Objective& objective) {
  if (objective.task != Task::language_model)
    fail(ErrorKind::usage, "objective", "a {} model does not learn the task '{}'", config.family, task_name(objective.task));
  build_model(b, config);
  Value logits = b.take_output("logits");
  auto scope = b.scope("loss");
  Value targets = b.step_input("targets", {Dtype::i32, {b.type(logits).dim(0)}});
  auto results = b.emit_all(CrossEntropy{objective.label_smoothing}, {logits, targets});
  b.output(results[0], "loss");
  b.output(results[1], "weight");
}

}  // namespace motley
