// The reading of GGUF metadata; callers use read_config (config.h).
#pragma once
#include "nn/config.h"

namespace motley {

ModelConfig read_gguf_config(const Checkpoint& checkpoint);  // whose format is gguf

}  // namespace motley
