// The optimizer that a recipe names, as the op that update.h puts behind each gradient.
#pragma once
#include "ir/op.h"
#include "train/recipe.h"

namespace motley {

// learned_before: what learns has learned; Adam's second moment then looks back further. Error(usage) with the nearest name.
Op optimizer_of(const TrainingRecipe& recipe, bool learned_before);

}  // namespace motley
