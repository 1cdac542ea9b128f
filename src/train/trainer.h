// The loop of training: batches in, Programs run, losses watched, checkpoints out. It knows no model family and no device: what learns
// comes as functions (api/train_model.cpp makes them), what happens is told to a listener.
//
//   TrainOutcome outcome = train(recipe, trainee, data, evaluation, listener);
//
// A run that is stopped, at whatever instant, goes on from its newest whole checkpoint and computes the same bits as one that never was.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/atomic_folder.h"
#include "control/learning.h"
#include "io/dataset/batches.h"
#include "io/dataset/samples.h"
#include "train/recipe.h"

namespace motley {

// Where a micro-batch is: what is drawn by chance for it depends on that alone.
struct StepPlace {
  int64_t step = 0, first_token = 0;  // step 0: an evaluation
};

struct Trainee {
  // Outputs "loss" and "weight" over one micro-batch, and of tasks about samples "logits"; training: with dropout.
  std::function<Graph(const BatchShape& shape, bool training)> objective;
  std::function<bool(std::string_view state)> learns = {};                    // null: everything. What does not is in no checkpoint: load() has it
  std::function<bool(std::string_view state, const Type& type)> decays = {};  // null: matrices
  std::function<Tensor(const std::string& state)> load;                       // what it has learned before; empty: nothing
  std::function<Tensor(const std::string& state, const Type& type)> fresh;    // where it has learned nothing
  // Writes the model's files with the values that `read` gives, and returns the states that are in them bit for bit under their own names.
  std::function<std::set<std::string>(const AtomicFolder& out, const std::function<Tensor(const std::string& state)>& read)> save;
  std::function<LearningSession::Inputs(const BatchShape& shape, const Batch& batch, const StepPlace& place)> inputs;
  // Of one micro-batch of the evaluation, how many samples were told right; null: that is no question here.
  std::function<int64_t(const LearningSession::Outputs& outputs, const Batch& batch)> count_right = {};
  std::function<std::unique_ptr<Device>()> open_device;
  bool learned_before = false;
  bool pack = true;                // several samples in a row
  bool whole_texts = false;        // BatchShape::whole
  std::vector<int32_t> lead = {};  // tokens that stand before each sample
  bool whole_batches = false;      // what a sample costs depends on the others of its batch: micro-batches would learn something else
  int64_t samples_per_row = 0;     // for tasks that are about samples; 0: about tokens
  double context = 0;              // positions that a token attends to on average
  int64_t memory_bytes = 0;        // the most to take; 0: what the device has
};

struct StepReport {
  int64_t step = 0, steps = 0, tokens = 0;  // tokens: seen by the run so far
  double epoch = 0, loss = 0, rate = 0, norm = 0;
  double loss_scale = 1;
  bool skipped = false;
  double tokens_per_second = 0, fraction_of_peak = 0, waited_seconds = 0, seconds_left = 0;
  int64_t memory_bytes = 0;
};

struct EvalReport {
  int64_t step = 0;
  double epoch = 0, loss = 0, seconds = 0;
  std::optional<double> accuracy = std::nullopt;  // of the samples, those told right
  int64_t scored = 0;
  bool best = false;
};

struct RunFacts {  // known before the first step
  int64_t steps = 0, warmup = 0, rows = 0, length = 0, micro_batches = 1, parameters = 0, memory_bytes = 0, from_step = 0;
  double rate = 0, operations_per_step = 0, peak_operations = 0;  // peak: of multiply-adds of floats, a second, measured now
  std::string device, isa;
  std::string precision;  // "f32", "adaptive f16"
  Recompute recompute = Recompute::none;
  int threads = 1;
};

class TrainListener {
 public:
  virtual ~TrainListener() = default;
  virtual void begin(const RunFacts&) {}
  virtual void step(const StepReport&) {}
  virtual void evaluated(const EvalReport&) {}
  virtual void saved(const std::string& /*path*/) {}
  virtual void note(const std::string& /*sentence*/) {}  // a decision or a warning
  virtual bool stop() { return false; }                  // asked before each step: save, and end
};

struct TrainOutcome {
  enum class End : uint8_t { finished, early, interrupted, diverged };
  End end = End::finished;
  int64_t step = 0;
  std::optional<double> best_loss = std::nullopt;
  int64_t best_step = 0;
};

// Error(usage) for a recipe that cannot be, or that is not the one of the checkpoint it would go on from; Error(no_fit) when not even one
// row fits the memory.
TrainOutcome train(const TrainingRecipe& recipe, const Trainee& trainee, const Samples& data, const Samples& evaluation, TrainListener& listener);

}  // namespace motley
