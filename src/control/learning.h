// A graph that learns, compiled for a device and loaded onto it: the counterpart of Session for training. What the steps are is the
// trainer's affair (train/).
//
//   LearningPrograms programs = compile_learning(training, evaluation, device->target(), {.update = {.op = Adamw{}, .clip = 1}});
//   LearningSession session(programs, std::move(device), load);
//   LossSum loss = session.accumulate(inputs, true);                 // for each micro-batch
//   float norm = session.update({.rate = 1e-3, .step = 1, .scale = 1 / loss.weight});
//
// An optimizer's step is several runs: one per micro-batch, which adds its gradients to states, and one that changes the weights. Whether
// the last one happens is decided between them, by whoever has seen the loss of the whole batch.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/adversarial.h"
#include "passes/precision.h"
#include "passes/recompute.h"
#include "passes/update.h"
#include "program/program.h"
#include "runtime/device.h"

namespace motley {

struct LearningOptions {
  UpdateOptions update;
  std::function<bool(std::string_view state)> learns = {};  // null: every float state that the loss depends on
  AdversarialOptions adversarial = {};                      // of training
  double average = 0;                                       // of the weights over the steps: the decay; 0: none is kept
  bool several = false;                                     // micro-batches in a step
  Recompute recompute = Recompute::none;
  PrecisionPlan precision = {.usual = Dtype::f32};  // of training; what is evaluated is f32
  double context = 0;                               // positions that a token attends to on average, for counting operations
  std::set<std::string> skip = {};                  // passes to leave out
};

// All that a checkpoint has to keep of the compiler's decisions for the next run to compute the same bits.
struct LearningPrograms {
  Program first, more, close, evaluate;  // without steps: more where there is one micro-batch, evaluate where nothing is evaluated
  double operations = 0;                 // of products and attention in a micro-batch, forward and backward

  std::array<const Program*, 4> all() const { return {&first, &more, &close, &evaluate}; }
};

// training: outputs "loss" and "weight", with dropout; evaluation: the same without, and whatever else its user reads, or no nodes where nothing
// is evaluated.
LearningPrograms compile_learning(const Graph& training, const Graph& evaluation, const Target& target, const LearningOptions& options);

// What they take on the device: all states and the largest working memory.
int64_t memory_bytes(const LearningPrograms& programs);

// What a micro-batch did to the gradients of a block that computes in 16 bits (passes/precision.h).
struct BlockWatch {
  double peak = 0;   // the largest magnitude before rounding, with the loss scale in it; NaN or infinite behind an overflow
  double lost = 0;   // of the elements that were not zero, the share that rounding made zero
  double noise = 0;  // the length of what rounding changed, relative to theirs
};

struct LossSum {
  double loss = 0, weight = 0;  // summed over what counts
  std::map<int, BlockWatch> blocks = {};
};

struct UpdateStep {
  double rate = 0;
  int64_t step = 1;  // counted from 1
  double scale = 1;  // multiplies the gradients, so a loss scale is divided out here; not finite: nothing changes
};

class LearningSession {
 public:
  using Inputs = std::map<std::string, std::vector<int32_t>>;  // by name; floats as their bits
  using Outputs = std::map<std::string, std::vector<float>>;

  // load: a state's first values, in any float or block type; an empty tensor begins as zeros.
  LearningSession(LearningPrograms programs, std::unique_ptr<Device> device, const std::function<Tensor(const ProgramState& state)>& load);

  // Forward and backward; first: of a step. Inputs that the Programs do not read are ignored. Where some block computes in f16, "loss_scale" is one.
  LossSum accumulate(const Inputs& inputs, bool first);
  double update(const UpdateStep& step);   // the length of the scaled gradients before clipping
  Outputs evaluate(const Inputs& inputs);  // nothing changes

  // Other Programs of the same states, which keep their values.
  void replace(LearningPrograms programs);

  const LearningPrograms& programs() const { return programs_; }
  Device& device() { return *device_; }
  // All but the sums of gradients.
  const std::vector<ProgramState>& states() const { return states_; }
  bool changes(const std::string& name) const;  // from step to step
  Tensor read(const std::string& name);         // a plain copy
  void write(const std::string& name, const Tensor& values);

 private:
  void prepare();
  const ProgramState& state(const std::string& name) const;
  Outputs run(const Program& program, Executable& executable, const Inputs& inputs);

  LearningPrograms programs_;
  std::unique_ptr<Device> device_;
  std::vector<ProgramState> states_;
  std::set<std::string> changing_;
  std::unique_ptr<Executable> first_, more_, close_, evaluate_;
};

}  // namespace motley
