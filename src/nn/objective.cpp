#include "nn/objective.h"

#include "base/error.h"
#include "nn/families.h"

namespace motley {
namespace {

struct Loss {
  Value sum, weight;
};

Loss cross_entropy(Builder& b, Value logits, Value targets, float smoothing) {
  auto results = b.emit_all(CrossEntropy{smoothing}, {logits, targets});
  return {results[0], results[1]};
}

Value integers(Builder& b, const char* name, const Dim& count) { return b.step_input(name, {Dtype::i32, {count}}); }

template <class Op>
Loss by_value(Builder& b, Value logits) {
  const Dims shape = b.type(logits).shape;
  Value values = b.step_input("values", {Dtype::f32, shape}), weights = b.step_input("value_weights", {Dtype::f32, {shape[0], {1}}});
  auto results = b.emit_all(Op{}, {logits, values, weights});
  return {results[0], results[1]};
}

// Of unit vectors [texts * S, E]. The scores of first texts are left as "logits".
Loss of_neighbours(Builder& b, Value vectors, const Objective& o) {
  const int64_t s = o.samples, candidates = (o.texts - 1) * s;
  Value first = b.slice(vectors, 0, 0, s), others = b.slice(vectors, 0, s, candidates);
  Value apart = b.step_input("apart", {Dtype::f32, {{s}, {candidates}}}), labels = integers(b, "labels", {s});
  Value scores = b.add(b.div(b.matmul(first, others), b.scalar(o.temperature)), apart);
  b.output(scores, "logits");
  Loss loss = cross_entropy(b, scores, labels, o.label_smoothing);
  if (!o.symmetric) return loss;
  Value back = b.transpose(o.texts > 2 ? b.slice(scores, 1, 0, s) : scores, {1, 0});
  return {b.mul(b.add(loss.sum, cross_entropy(b, back, labels, o.label_smoothing).sum), b.scalar(0.5f)), loss.weight};
}

// Devlin et al. 2019: the mean of two cross-entropies over the text's tokens, for its first and its last; padding is no place.
Loss of_span(Builder& b, Value logits, float smoothing) {
  constexpr float kNowhere = -1e30f;
  Value outside = b.mul(b.sub(b.scalar(1), b.grid_mask()), b.scalar(kNowhere));
  Value places = b.add(b.grid(logits), outside);  // [S, L, 2]
  const Dim samples = b.type(places).dim(0), length = b.type(places).dim(1);
  auto one = [&](int64_t which, const char* name) {
    Value scores = b.reshape(b.slice(places, 2, which, 1), {samples, length});
    return cross_entropy(b, scores, integers(b, name, samples), smoothing);
  };
  Loss begin = one(0, "begins"), end = one(1, "ends");
  return {b.mul(b.add(begin.sum, end.sum), b.scalar(0.5f)), begin.weight};
}

}  // namespace

void build_objective(Builder& b, const ModelConfig& config, const Objective& objective) {
  ModelConfig c = config;
  c.task = objective.task;
  const bool embeds = c.task == Task::embedding;
  if (embeds) {
    if (learns_in_grid(c, c.task)) fail(ErrorKind::usage, "objective", "{} models embed no texts", c.family);
    if (!(objective.temperature > 0)) fail(ErrorKind::usage, "objective", "the temperature should be above 0, not {}", objective.temperature);
    c.normalise = true;  // it is cosines that are compared
  }
  const bool about_samples = embeds || one_per_text(c.task) || learns_in_grid(c, c.task);
  if (about_samples && objective.samples < 1)
    fail(ErrorKind::usage, "objective", "'{}' learns from samples; say how many are in a step", task_name(c.task));
  b.bind_sequences(embeds ? objective.samples * objective.texts : objective.samples);
  build_model(b, c);
  if (embeds) {
    Value vectors = b.take_output("embedding");
    auto scope = b.scope("loss");
    const Loss loss = of_neighbours(b, vectors, objective);
    b.output(loss.sum, "loss");
    b.output(loss.weight, "weight");
    return;
  }

  Value logits = b.take_output("logits");
  auto scope = b.scope("loss");
  const Dim rows = b.type(logits).dim(0);
  const bool of_language = c.task == Task::language_model || c.task == Task::masked_language_model;
  Loss loss;
  if (of_language || c.task == Task::token_classification) {
    loss = cross_entropy(b, logits, integers(b, "targets", rows), objective.label_smoothing);
  } else if (c.task == Task::classification) {
    loss = cross_entropy(b, logits, integers(b, "labels", rows), objective.label_smoothing);
  } else if (c.task == Task::multi_label) {
    loss = by_value<BinaryCrossEntropy>(b, logits);
  } else if (c.task == Task::regression) {
    loss = by_value<MeanSquaredError>(b, logits);
  } else {
    loss = of_span(b, logits, objective.label_smoothing);
  }
  b.output(loss.sum, "loss");
  b.output(loss.weight, "weight");
  if (!of_language) b.output(logits, "logits");
}

bool learns_in_grid(const ModelConfig& config, Task task) { return family_of(config).grid || task == Task::question_answering; }

}  // namespace motley
