// A device against the reference interpreter, value by value: the graph that the device runs is also run in double, and each node's
// result is compared. What --check-against=reference prints.
#pragma once
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "control/model_source.h"
#include "plan/plan.h"
#include "runtime/device.h"

namespace motley {

struct NodeDifference {
  int32_t node = -1;  // in the graph after the passes
  std::string name, op, kernel;
  double error = 0;  // largest |device - reference|, relative to the largest |reference| of the value
};

struct Comparison {
  double bound = 0;                         // what rounding of the plan's formats may cause
  std::vector<NodeDifference> differences;  // every compared node, in execution order
  int first = -1;                           // the first above the bound; -1: none
};

// Runs `tokens` as one step of one sequence.
Comparison compare_with_reference(const ModelSource& source, const Plan& plan, Device& device, const std::set<std::string>& skip,
                                  const std::vector<int32_t>& tokens);

}  // namespace motley
