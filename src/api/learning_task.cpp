#include "api/learning_task.h"

#include <array>

#include "base/error.h"
#include "nn/heads.h"

namespace motley {
namespace {

struct NamedTask {
  std::string_view name;
  Task task;
  LabelKind labels;
};

constexpr std::array kObjectives = {
    NamedTask{"language-model", Task::language_model, LabelKind::none},
    NamedTask{"masked-language-model", Task::masked_language_model, LabelKind::none},
    NamedTask{"classification", Task::classification, LabelKind::classes},
    NamedTask{"multi-label", Task::multi_label, LabelKind::several},
    NamedTask{"regression", Task::regression, LabelKind::values},
    NamedTask{"contrastive", Task::embedding, LabelKind::texts},
};

constexpr std::string_view kAuto = "auto";

LearningTask of_task(Task task) {
  for (const NamedTask& o : kObjectives)
    if (o.task == task) return {o.task, o.labels};
  return {task, LabelKind::none};
}

LearningTask unnamed(const TrainingRecipe& recipe, const ModelConfig& config) {
  if (one_per_text(config.task)) {
    LearningTask lesson = of_task(config.task);
    if (config.task == Task::classification) lesson.labels = LabelKind::automatic;
    return lesson;
  }
  if (!recipe.label_column.empty()) return {Task::classification, LabelKind::automatic, false};
  if (config.task != Task::language_model && config.task != Task::masked_language_model)
    fail(ErrorKind::usage, "train",
         "{} is made for '{}': say what it is to learn, with --label-column (labels of texts), --objective contrastive (texts that belong together) "
         "or --objective masked-language-model",
         recipe.model, task_name(config.task));
  return of_task(config.task);
}

void expect_own_fields(const TrainingRecipe& r, const LearningTask& lesson) {
  const TrainingRecipe usual;
  const bool contrastive = lesson.task == Task::embedding;
  for (auto [flag, given] : {std::pair{"--negative-column", !r.negative_column.empty()},
                             {"--temperature", r.temperature != usual.temperature},
                             {"--symmetric", r.symmetric}})
    if (given && !contrastive) fail(ErrorKind::usage, "train", "{} belongs to --objective contrastive", flag);
  if (!r.label_column.empty() && (contrastive || !lesson.of_samples()))
    fail(ErrorKind::usage, "train", "--objective {} learns from no labels; leave out --label-column{}", r.objective,
         contrastive ? ", and of labelled pairs take those whose texts belong together" : "");
  if (r.mlm_probability != usual.mlm_probability && lesson.task != Task::masked_language_model)
    fail(ErrorKind::usage, "train", "--mlm-probability belongs to --objective masked-language-model");
}

}  // namespace

LearningTask learning_task(const TrainingRecipe& recipe, const ModelConfig& config) {
  LearningTask lesson;
  if (recipe.objective == kAuto) {
    lesson = unnamed(recipe, config);
  } else {
    std::array<std::string_view, kObjectives.size() + 1> names = {kAuto};
    for (size_t i = 0; i < kObjectives.size(); ++i) names[i + 1] = kObjectives[i].name;
    const NamedTask& o = kObjectives[choice_of("objective", recipe.objective, names) - 1];
    lesson = {o.task, o.labels};
    with_task(config, o.task, {"a label"});  // whether the family has such a last layer
  }
  expect_own_fields(recipe, lesson);
  return lesson;
}

ModelConfig config_to_learn(const LearningTask& lesson, const ModelConfig& config, const Samples& data) {
  if (lesson.task == config.task && lesson.chosen) return config;
  const bool numbers = !lesson.chosen && data.classes().empty();
  const Task task = numbers ? Task::regression : lesson.task;
  return with_task(config, task, task == Task::regression ? std::vector<std::string>{"LABEL_0"} : data.classes());
}

}  // namespace motley
