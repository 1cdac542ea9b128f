// A model that nobody has trained yet, in whole or in its last layer, as a source like any other: its weights are the first ones of
// nn/initial.h, the same for the same seed.
//
//   ModelSource small = fresh_model("my-gru", read_config(parse_json(text, path), path), seed);
//   ModelSource tuned = with_head(model_from_checkpoint(base), with_task(base_config, Task::classification, labels), seed);
#pragma once
#include <cstdint>
#include <string>

#include "control/model_source.h"

namespace motley {

// All weights f32.
ModelSource fresh_model(const std::string& name, const ModelConfig& config, uint64_t seed);

// The source with another configuration of the same model (nn/heads.h): what of its head the source lacks, or has for other labels, is fresh.
ModelSource with_head(const ModelSource& source, const ModelConfig& config, uint64_t seed);

}  // namespace motley
