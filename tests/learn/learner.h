// A graph that learns, step by step: in the reference interpreter, or compiled for the CPU. Both begin with the same states; what `load` does
// not know begins as zeros.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/interpreter.h"

namespace motley {

class Learner {
 public:
  using Inputs = Interpreter::Inputs;
  virtual ~Learner() = default;
  virtual std::map<std::string, std::vector<double>> step(const Inputs& inputs) = 0;  // outputs by name
  virtual std::vector<double> state(const std::string& name) = 0;                     // of one that changes
};

std::unique_ptr<Learner> learn_by_reference(const Graph& graph, const StateLoader& load);
std::unique_ptr<Learner> learn_on_cpu(const Graph& graph, const StateLoader& load, int threads, bool packed = false);

}  // namespace motley
