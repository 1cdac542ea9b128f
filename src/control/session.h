// A model, compiled for a device and loaded onto it: the only place where the compile half and the run half meet. A Session runs steps;
// what the steps are is the scheduler's affair (generate/).
//
//   Session session(source, plan, std::move(device), {});
//   Scheduler scheduler(session);
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "control/model_source.h"
#include "passes/pipeline.h"
#include "plan/plan.h"
#include "runtime/device.h"
#include "runtime/step_runner.h"

namespace motley {

ModelDemand demand_of(const ModelSource& source);
BuildLimits build_limits(const Plan& plan);
StepLimits step_limits(const Plan& plan, const ModelSource& source);
Graph build_graph(const ModelSource& source, const Plan& plan);
// Of a model with an encoder: the step that reads sources.
Graph build_reader_graph(const ModelSource& source, const Plan& plan);

struct SessionOptions {
  std::set<std::string> skip;  // passes and rewrites to leave out
  std::function<void(std::string_view pass, const Graph& graph)> after_pass;
  std::function<void(int64_t done_bytes, int64_t total_bytes)> progress;  // of loading weights
};

class Session : public StepRunner {
 public:
  Session(const ModelSource& source, const Plan& plan, std::unique_ptr<Device> device, const SessionOptions& options);

  const StepLimits& limits() const override { return limits_; }
  void run(const StepInputs& step, std::span<float> logits) override;
  void read_sources(const StepInputs& step) override;

  const Plan& plan() const { return plan_; }
  const Compiled& compiled() const { return compiled_; }
  Device& device() { return *device_; }
  double load_seconds() const { return load_seconds_; }
  int64_t weight_bytes() const { return weight_bytes_; }  // plain bytes of the weights loaded

 private:
  Plan plan_;
  StepLimits limits_;
  std::unique_ptr<Device> device_;
  Compiled compiled_, reader_;                                      // reader_: of an encoder; no Programs without
  std::vector<std::unique_ptr<Executable>> executables_, readers_;  // one per Program
  double load_seconds_ = 0;
  int64_t weight_bytes_ = 0;
};

// Gives a device the states of Programs that run on it: weights from the source, as zeros what one of them changes (KV pools). Returns the weights'
// plain bytes.
int64_t load_states(Device& device, std::span<const Program* const> programs, const ModelSource& source,
                    const std::function<void(int64_t done, int64_t total)>& progress);

// A step's inputs by the names the builder gives them.
std::map<std::string, std::vector<int32_t>> named_inputs(const StepInputs& step);

// The inputs of a Program by name, in its order. Error(runtime) for a name that a step does not have.
std::vector<std::span<const int32_t>> inputs_in_order(const Program& program, const StepInputs& step);

// The same model in the reference interpreter: slow, in double precision, on no device. What --check-against compares with.
class ReferenceRunner : public StepRunner {
 public:
  ReferenceRunner(const ModelSource& source, const Plan& plan);
  ~ReferenceRunner() override;
  const StepLimits& limits() const override { return limits_; }
  void run(const StepInputs& step, std::span<float> logits) override;
  void read_sources(const StepInputs& step) override;

 private:
  StepLimits limits_;
  std::unique_ptr<class Interpreter> interpreter_, reader_;
};

}  // namespace motley
