// What the exam's question about gradients is put with: an op on values of its own, in double. Inputs that are floats are differentiated
// unless they are named as given.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/def.h"

namespace motley::exam {

struct GradientCase {
  Op op;
  Types in;
  std::vector<RefValue> values;
  std::set<size_t> given = {};             // inputs that have no gradient: targets, weights of a loss
  std::set<size_t> without_gradient = {};  // results the loss cannot depend on
};

std::vector<GradientCase> gradient_cases();

// Ops that have no gradient and say why.
const std::set<std::string>& ops_without_gradient();

}  // namespace motley::exam
