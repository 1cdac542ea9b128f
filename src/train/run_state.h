// What a run knows besides its weights, and what of it a checkpoint keeps as run.json.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/atomic_folder.h"
#include "control/learning.h"
#include "io/dataset/batches.h"
#include "io/json.h"
#include "train/precision_control.h"
#include "train/schedule.h"
#include "train/stopping.h"

namespace motley {

struct RunState {
  int64_t step = 0, updates = 0, tokens = 0;  // updates: steps that were not skipped
  Cursor cursor;
  EarlyStopping::State stopping;
  SpikeGuard::State guard;
  Plateau::State plateau;
  PrecisionState precision;
};

Json to_json(const RunState& state);
RunState run_state(const Json& json, const std::string& what);  // Error(file) naming the key

// How the work is cut and for which machine: decided once, then replayed.
struct TrainingPlan {
  BatchShape shape;  // of a micro-batch
  int64_t micro_batches = 1, steps = 1;
  Recompute recompute = Recompute::none;
  std::string device, isa;
  double operations = 0;
};

Json to_json(const TrainingPlan& plan);
TrainingPlan training_plan(const Json& json, const std::string& what);

// Whether a file or folder of a checkpoint belongs to the run, not to the model.
bool is_of_the_run(std::string_view name);

// The compiled Programs, a text file each in `programs/`.
void write_programs(const AtomicFolder& out, const LearningPrograms& programs);
LearningPrograms read_programs(const std::string& checkpoint);

}  // namespace motley
