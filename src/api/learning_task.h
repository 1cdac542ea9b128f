// What a recipe wants a model to learn, and what its data hold for that.
//
//   const LearningTask lesson = learning_task(recipe, config);              // --objective, --label-column, or what the model is for
//   Samples data = read_samples({.path = recipe.data, .labels = lesson.labels, ...}, tokenizer);
//   config = config_to_learn(lesson, config, data);                         // with a last layer for the data's labels
#pragma once
#include "io/dataset/samples.h"
#include "nn/config.h"
#include "train/recipe.h"

namespace motley {

struct LearningTask {
  Task task = Task::language_model;
  LabelKind labels = LabelKind::none;
  bool chosen = true;  // false: what the labels are decides between classification and regression

  bool of_samples() const { return labels != LabelKind::none; }  // and not of single tokens
};

// Error(usage) where the model cannot learn that, where it is not said what it should learn, and for fields that belong to another objective.
LearningTask learning_task(const TrainingRecipe& recipe, const ModelConfig& config);

// The model as it learns this task from these data. Error(usage) when they do not go together.
ModelConfig config_to_learn(const LearningTask& lesson, const ModelConfig& config, const Samples& data);

}  // namespace motley
