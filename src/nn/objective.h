// What a model learns from: its graph with the loss of a task in place of its answer. The Builder is in learn mode, so every size is bound.
//
//   Builder b({.mode = BuildMode::learn, .tokens = 4096}, source.types, source.name);
//   build_objective(b, config, {.task = Task::language_model});
//   Graph step = add_updates(autodiff(b.take(), {}), {.op = Adamw{}});
//
// Outputs: "loss" f32 [1], a sum, and "weight" f32 [1], how much was summed, so that batches may be split in any way; and "logits", except of
// a language model, whose logits are larger than the rest of the step.
//
// Inputs (T tokens, S samples, L labels), of which a graph has those it needs:
//
//   tokens     i32 [T]     samples one after the other; what fills the rest of a step is padding
//   positions  i32 [T]     within each sample, from config.first_position
//   seq        i32 [T]     the same number for all tokens of a sample and another for its neighbours; -1: padding, which nobody sees
//   targets    i32 [T]     language model: the next token, masked language model: the hidden one; kIgnoreTarget: none
#pragma once
#include <cstdint>

#include "nn/config.h"
#include "nn/task.h"

namespace motley {

class Builder;

struct Objective {
  Task task = Task::language_model;
  float label_smoothing = 0;  // of cross-entropy
  int64_t samples = 0;        // in a step, for tasks that are not about single tokens
};

void build_objective(Builder& b, const ModelConfig& config, const Objective& objective);

}  // namespace motley
