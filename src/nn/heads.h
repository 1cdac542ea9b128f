// The last layer of a model: which one a checkpoint has, and how a model gets another for a task of its user's.
//
//   ModelConfig config = with_task(base, Task::classification, {"negative", "positive"});
//   Builder b(limits, with_fresh_head(config, source.types));    // the head's weights need not be in the checkpoint
//   build_model(b, config);
//
// config.json says it in "architectures" ("BertForTokenClassification"), "id2label" (or "num_labels") and "problem_type".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/json_fwd.h"
#include "nn/config.h"
#include "nn/families.h"
#include "ops/builder.h"

namespace motley {

// "Bert" of "BertForTokenClassification".
std::string_view architecture_stem(std::string_view architecture);
// The architecture of a family with the head of a task; of the usual task the family's own.
std::string hf_architecture(const Family& family, Task task);

// Sets task and labels from config.json. Error(file) for an architecture whose head is not one of ours.
void read_head(const Json& root, const Family& family, const std::string& what, ModelConfig& config);
// The keys of config.json that say task and labels, except "architectures".
void write_head(const ModelConfig& config, Json& root);

// The model with a head for this task. Error(usage) when the family has none.
ModelConfig with_task(const ModelConfig& config, Task task, std::vector<std::string> labels);

// Whether a state belongs to the head: it is missing, or of another size, in checkpoints made for another task.
bool is_head(const ModelConfig& config, std::string_view state);
// The types of a checkpoint's weights; where it lacks one of the head or has one for another number of labels, f32.
WeightTypes with_fresh_head(const ModelConfig& config, WeightTypes types);

}  // namespace motley
