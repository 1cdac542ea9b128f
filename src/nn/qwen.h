// What the generations of Qwen share.
#pragma once
#include <cstdint>
#include <vector>

#include "nn/config.h"
#include "nn/config_sink.h"
#include "nn/config_source.h"

namespace motley {

int64_t qwen_window(const ConfigSource& source);                                      // 0: switched off, whatever size the file names
std::vector<int64_t> qwen_windows(const ConfigSource& source, const ModelConfig& c);  // of the layers from max_window_layers on

void qwen_write_windows(const ModelConfig& c, ConfigSink& sink);

}  // namespace motley
