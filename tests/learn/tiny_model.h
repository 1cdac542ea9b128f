// The tiny checkpoints of tests/data/models as things that learn.
#pragma once
#include <string>
#include <vector>

#include "control/model_source.h"
#include "learner.h"

namespace motley {

constexpr int64_t kTokens = 24;

ModelSource source_of(const std::string& name);

// The model's graph in learn mode, with output "logits".
Graph learning_model(const ModelSource& source, int64_t tokens);
// Loss of the next token over packed sequences: outputs "loss" and "weight" in place of the graph's logits.
Graph with_loss(Graph model, int64_t tokens);
Graph objective(const ModelSource& source, int64_t tokens);

// Two sequences and some padding.
Learner::Inputs batch(const ModelSource& source, int64_t first = 0, int64_t tokens = kTokens);

double peak(const std::vector<double>& x);
double distance(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace motley
