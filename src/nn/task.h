// What a model is for: what its last layer gives, and for how much of a text. A checkpoint says it ("architectures" in config.json), and
// fine-tuning may wish for another (heads.h).
//
//   if (one_per_text(config.task)) ask_for_labels(config.labels);
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace motley {

enum class Task : uint8_t {
  language_model,         // the token that comes next
  masked_language_model,  // the token that is hidden
  embedding,              // a vector for each text
  classification,         // one of the labels for each text
  multi_label,            // any of the labels for each text
  regression,             // a number for each label and text
  token_classification,   // one of the labels for each token
  question_answering,     // where in the text the answer begins and ends
};

std::span<const std::string_view> task_names();  // "language-model", ..., in the order above
std::string_view task_name(Task task);
std::optional<Task> find_task(std::string_view name);

// The logits are [samples, labels].
constexpr bool one_per_text(Task task) { return task == Task::classification || task == Task::multi_label || task == Task::regression; }
// The last layer has one output for each of config.labels.
constexpr bool has_labels(Task task) { return one_per_text(task) || task == Task::token_classification; }

}  // namespace motley
