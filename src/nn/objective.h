// What a model learns from: its graph with the loss of a task beside its answer. The Builder is in learn mode, so every size is bound.
//
//   Builder b({.mode = BuildMode::learn, .tokens = 4096}, with_fresh_head(config, source.types), source.name);
//   build_objective(b, config, {.task = config.task, .samples = 32});
//   Graph step = add_updates(autodiff(b.take(), {}), {.op = Adamw{}});
//
// Outputs: "loss" f32 [1], a sum, and "weight" f32 [1], how much was summed, so that batches may be split in any way; and "logits", except of
// language models, whose logits are larger than the rest of the step.
//
// Inputs (T tokens, S samples, L labels), of which a graph has those it needs. pack_samples (samples.h) gives all but the answers:
//
//   tokens         i32 [T]     samples one after the other; what fills the rest of a step is padding
//   positions      i32 [T]     within each sample, from config.first_position
//   seq            i32 [T]     the same number for all tokens of a sample and another for its neighbours; -1: padding, which nobody sees
//   token_types    i32 [T]     segments: BERT's [CLS] a [SEP] has 0 and b [SEP] has 1
//   first, last    i32 [S]     the index of each sample's first and last token
//   lengths        i32 [S]     in tokens
//   dropout_key    i32 [4]     where the model drops (ir/op_learn.h)
//
//   targets        i32 [T]     language model: the next token; masked: the hidden one; token classification: the label. kIgnoreTarget: none
//   labels         i32 [S]     classification: the label, or kIgnoreTarget
//   values         f32 [S, L]  multi-label: 0 or 1 for each label; regression: the numbers
//   value_weights  f32 [S, 1]  of the same: how much a sample counts, 0 for one that is not there
//   begins, ends   i32 [S]     question answering: the answer's first and last token, counted from the sample's first, or kIgnoreTarget
//
// Embeddings learn from samples of several texts: first, last and lengths are then [texts * S], those of all first texts before those of all
// second ones. A sample's first text is to be nearer to its second than to the second and third texts of all samples: the cross-entropy of
// cosine / temperature over these candidates (van den Oord et al. 2018; Henderson et al. 2017). It is a quantity of the whole batch, so a batch
// that is cut into micro-batches learns something else.
//
//   labels         i32 [S]                   the sample's own number, or kIgnoreTarget where there is none
//   apart          f32 [S, (texts - 1) * S]  0; or kApart where a candidate does not count for this sample: there is none, or it would be right too
#pragma once
#include <cstdint>

#include "nn/config.h"
#include "nn/task.h"
#include "ops/builder.h"

namespace motley {

struct Objective {
  Task task = Task::language_model;
  float label_smoothing = 0;  // of cross-entropy
  int64_t samples = 0;        // S, for tasks and models that are not about single tokens
  // Embeddings.
  int64_t texts = 2;          // of a sample: 3 where the last one is as far away as it seems near
  float temperature = 0.05f;  // what cosines are divided by
  bool symmetric = false;     // second texts look for their first ones too, and the mean of both losses counts
};

constexpr float kApart = -1e30f;

void build_objective(Builder& b, const ModelConfig& config, const Objective& objective);

// Whether samples have to lie in a grid, each beginning at a multiple of T / S (SampleLayout::grid): models that work on whole sequences, and
// question answering, whose classes are the places in a text.
bool learns_in_grid(const ModelConfig& config, Task task);

}  // namespace motley
