#include "nn/heads.h"

#include <fmt/core.h>

#include "base/error.h"
#include "base/text.h"
#include "io/json.h"

namespace motley {
namespace {

constexpr int64_t kMaxLabels = 1 << 16;

struct Ending {
  std::string_view text;
  Task task;
};

// The first of a task is the one that is written. BERT's own pre-training had a second head, which nothing uses.
constexpr Ending kEndings[] = {
    {"ForCausalLM", Task::language_model},
    {"LMHeadModel", Task::language_model},
    {"ForConditionalGeneration", Task::language_model},
    {"MTModel", Task::language_model},
    {"ForMaskedLM", Task::masked_language_model},
    {"ForPreTraining", Task::masked_language_model},
    {"ForSequenceClassification", Task::classification},
    {"ForTokenClassification", Task::token_classification},
    {"ForQuestionAnswering", Task::question_answering},
    {"Model", Task::embedding},
};

const Ending* ending_of(std::string_view architecture) {
  for (const Ending& e : kEndings)
    if (architecture.ends_with(e.text)) return &e;
  return nullptr;
}

bool has_head_for(const Family& family, Task task) {
  switch (family.kind) {
    case FamilyKind::decoder:
      return task == Task::language_model || task == Task::embedding || one_per_text(task);
    case FamilyKind::encoder:
      return task != Task::language_model;
    case FamilyKind::classifier:
      return one_per_text(task);
    case FamilyKind::seq2seq:
      return task == Task::language_model;
  }
  return false;
}

std::string supported_heads(const Family& family) {
  std::string list;
  for (size_t i = 0; i < task_names().size(); ++i)
    if (has_head_for(family, static_cast<Task>(i))) list += fmt::format("{}{}", list.empty() ? "" : ", ", task_names()[i]);
  return list;
}

Task usual_task(const Family& family) {
  if (family.kind == FamilyKind::decoder || family.kind == FamilyKind::seq2seq) return Task::language_model;
  return family.kind == FamilyKind::encoder ? Task::embedding : Task::classification;
}

std::string first_architecture(const Json& root) {
  auto at = root.find("architectures");
  return at != root.end() && at->is_array() && !at->empty() && (*at)[0].is_string() ? (*at)[0].get<std::string>() : "";
}

Task task_of(const Json& root, const Family& family, const std::string& what) {
  const std::string architecture = first_architecture(root);
  const Ending* ending = ending_of(architecture);
  // Decoders come under more names than we know; they continue texts all the same.
  const bool own = architecture_stem(architecture) == architecture_stem(family.architecture);
  if (architecture.empty() || family.kind == FamilyKind::classifier || (family.kind == FamilyKind::decoder && !own)) return usual_task(family);
  // Files of BART as it came from its first training name no last layer: its embedding is one.
  if (family.kind == FamilyKind::seq2seq && own && ending && ending->task == Task::embedding) return usual_task(family);
  if (!ending || !has_head_for(family, ending->task))
    fail(ErrorKind::file, "config", "{}: 'architectures' names '{}', a last layer that is not supported; supported for {} are {}", what,
         printable(architecture), family.name, supported_heads(family));
  return ending->task;
}

std::vector<std::string> usual_labels(int64_t count) {
  std::vector<std::string> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(fmt::format("LABEL_{}", i));
  return labels;
}

std::vector<std::string> read_labels(const Json& root, const std::string& what) {
  auto at = root.find("id2label");
  if (at == root.end() || at->is_null()) {
    const int64_t count = json_find_int(root, "num_labels", what).value_or(2);
    if (count < 1 || count > kMaxLabels)
      fail(ErrorKind::file, "config", "{}: 'num_labels' is {}, expected a number from 1 to {}", what, count, kMaxLabels);
    return usual_labels(count);
  }
  if (!at->is_object() || at->empty() || static_cast<int64_t>(at->size()) > kMaxLabels)
    fail(ErrorKind::file, "config", "{}: 'id2label' should be an object with 1 to {} labels", what, kMaxLabels);
  std::vector<std::string> labels(at->size());
  for (size_t i = 0; i < labels.size(); ++i) {
    auto label = at->find(std::to_string(i));
    if (label == at->end() || !label->is_string())
      fail(ErrorKind::file, "config", "{}: 'id2label' has {} entries but no text for \"{}\", expected one for each number from 0", what,
           labels.size(), i);
    labels[i] = label->get<std::string>();
  }
  return labels;
}

// The names of the matrices whose rows are labels.
bool is_last_layer(std::string_view state) {
  for (std::string_view name : {"classifier.", "out_proj.", "score."})
    for (std::string_view part : {"weight", "bias"})
      if (state.ends_with(fmt::format("{}{}", name, part))) return true;
  return false;
}

}  // namespace

std::string_view architecture_stem(std::string_view architecture) {
  if (const Ending* ending = ending_of(architecture)) architecture.remove_suffix(ending->text.size());
  return architecture;
}

std::string hf_architecture(const Family& family, Task task) {
  const Ending* own = ending_of(family.architecture);
  if (!own || own->task == task) return std::string(family.architecture);
  if (one_per_text(task)) task = Task::classification;
  for (const Ending& e : kEndings)
    if (e.task == task) return fmt::format("{}{}", architecture_stem(family.architecture), e.text);
  return std::string(family.architecture);
}

void read_head(const Json& root, const Family& family, const std::string& what, ModelConfig& c) {
  c.task = task_of(root, family, what);
  if (family.kind == FamilyKind::decoder) c.pooling = Pooling::last;  // the only token that has seen the whole text
  if (!has_labels(c.task)) return;
  c.labels = read_labels(root, what);
  if (c.task != Task::classification) return;
  const std::string problem = json_find_string(root, "problem_type", what).value_or("");
  if (problem == "regression" || (problem.empty() && c.labels.size() == 1)) {
    c.task = Task::regression;
  } else if (problem == "multi_label_classification") {
    c.task = Task::multi_label;
  } else if (!problem.empty() && problem != "single_label_classification") {
    fail(ErrorKind::file, "config", "{}: 'problem_type' is {}, expected single_label_classification, multi_label_classification or regression", what,
         printable(problem));
  }
}

void write_head(const ModelConfig& c, Json& root) {
  if (!has_labels(c.task)) return;
  Json names = Json::object(), numbers = Json::object();
  for (size_t i = 0; i < c.labels.size(); ++i) names[std::to_string(i)] = c.labels[i], numbers[c.labels[i]] = i;
  root["id2label"] = names;
  root["label2id"] = numbers;
  if (c.task == Task::multi_label) root["problem_type"] = "multi_label_classification";
  if (c.task == Task::regression) root["problem_type"] = "regression";
  if (c.task == Task::classification) root["problem_type"] = "single_label_classification";
}

ModelConfig with_task(const ModelConfig& config, Task task, std::vector<std::string> labels) {
  const Family& family = family_of(config);
  if (!has_head_for(family, task))
    fail(ErrorKind::usage, "task", "{} models have no last layer for '{}'; they have one for {}", family.name, task_name(task),
         supported_heads(family));
  if (has_labels(task) && (labels.empty() || static_cast<int64_t>(labels.size()) > kMaxLabels))
    fail(ErrorKind::usage, "task", "'{}' needs 1 to {} labels, got {}", task_name(task), kMaxLabels, labels.size());
  ModelConfig c = config;
  c.task = task;
  c.labels = has_labels(task) ? std::move(labels) : std::vector<std::string>{};
  return c;
}

bool is_head(const ModelConfig& config, std::string_view state) {
  const Family& family = family_of(config);
  switch (family.kind) {
    case FamilyKind::decoder:
      return state.starts_with("score.");
    case FamilyKind::encoder:  // the pooler comes with some tasks only
      return !state.starts_with(family.weights_prefix) || state.find(".pooler.") != std::string_view::npos;
    case FamilyKind::classifier:
      return is_last_layer(state);
    case FamilyKind::seq2seq:
      return false;
  }
  return false;
}

WeightTypes with_fresh_head(const ModelConfig& config, WeightTypes types) {
  return [config, types = std::move(types)](const std::string& state) -> std::optional<Type> {
    auto type = types(state);
    if (!is_head(config, state)) return type;
    const bool other_labels =
        type && has_labels(config.task) && is_last_layer(state) && !type->shape.empty() && type->shape[0].n != config.num_labels();
    return type && !other_labels ? type : std::optional(Type{Dtype::f32, {}});
  };
}

}  // namespace motley
