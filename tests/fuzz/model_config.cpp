// Any bytes as the config.json of a model: a configuration from which the graph builds and every rotary frequency is finite, or an Error of
// kind file. Graphs of more than four layers say nothing that smaller ones do not.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/json.h"
#include "motley/error.h"
#include "nn/config.h"
#include "nn/rope.h"
#include "nn/shapes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    motley::ModelConfig config = motley::read_config(motley::parse_json(text, "config.json", {.max_values = 200'000}), "config.json");
    for (double frequency : motley::rope_frequencies(config.rope, config.built_context()))
      if (!std::isfinite(frequency)) std::abort();
    if (config.layers <= 4) motley::model_weights(config);
  } catch (const motley::Error& e) {
    if (e.kind() != motley::ErrorKind::file) std::abort();
  }
  return 0;
}
