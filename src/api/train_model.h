// From a recipe to a trained model: the model is opened or drawn anew, the data are read, a device is opened, and the loop of train/ does the
// rest. What `motley train` and `motley finetune` do.
//
//   TrainingRecipe recipe{.model = "models/SmolLM2-135M", .data = "chats.jsonl", .output = "runs/chat"};
//   TrainOutcome outcome = train_model(recipe, RecipeKind::finetune, listener);
//   open_model("runs/chat", {});
#pragma once
#include <string>
#include <vector>

#include "nn/task.h"
#include "train/trainer.h"

namespace motley {

// What a listener is told before the trainer's own reports.
class TrainModelListener : public TrainListener {
 public:
  virtual void learns(Task /*task*/) {}
  virtual void model(const std::string& /*sentence*/) {}
  virtual void data(const std::string& /*sentence*/) {}
  virtual void sample(const std::vector<ShownPart>& /*parts*/) {}  // the first one, as the model sees it
  virtual void reading(int64_t /*done_bytes*/, int64_t /*total_bytes*/) {}
};

// The fields of the recipe that say "choose" are chosen and told. The output folder is the trained model when this returns, unless the run was
// interrupted or went wrong.
TrainOutcome train_model(TrainingRecipe recipe, RecipeKind kind, TrainModelListener& listener);

}  // namespace motley
