// Where a run stood, read from one of its checkpoints.
//
//   if (auto before = find_resumed(recipe, [&](const std::string& warning) { listener.note(warning); })) ...
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "tensor/tensor.h"
#include "train/recipe.h"
#include "train/run_state.h"

namespace motley {

inline constexpr std::string_view kOptimizerFile = "optimizer.safetensors";  // of a checkpoint: what no file of the model holds

struct Resumed {
  std::string path;
  RunState state;
  TrainingPlan plan;
  std::vector<SafetensorsFile> files;

  // A state as it was; empty where the checkpoint has none of that name. Averages lie in the model's file under the weights' names, and the weights
  // then with the optimizer.
  Tensor load(const std::string& name) const;
};

// What the recipe's `resume` names: nothing where a run begins. Error(usage) where the checkpoint belongs to another recipe, or one is in the way;
// Error(file) where the one that was named is damaged. Damaged ones that were not are left out, with a warning.
std::optional<Resumed> find_resumed(const TrainingRecipe& recipe, const std::function<void(const std::string& sentence)>& warn);

}  // namespace motley
