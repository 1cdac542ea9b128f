#include "nn/task.h"

namespace motley {
namespace {

constexpr std::string_view kNames[] = {"language-model", "masked-language-model", "embedding",         "classification", "multi-label",
                                       "regression",     "token-classification",  "question-answering"};

}  // namespace

std::span<const std::string_view> task_names() { return kNames; }
std::string_view task_name(Task task) { return kNames[static_cast<size_t>(task)]; }

std::optional<Task> find_task(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (kNames[i] == name) return static_cast<Task>(i);
  return std::nullopt;
}

}  // namespace motley
