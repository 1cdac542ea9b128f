// The shapes of well-known models by name, for measuring without their weights, and what any model's graph asks of a checkpoint.
//
//   ModelConfig config = *find_shape("llama-3.2-1b");
//   for (const auto& [name, type] : model_weights(config)) make_up(name, type);
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/type.h"
#include "nn/config.h"
#include "ops/builder.h"

namespace motley {

std::optional<ModelConfig> find_shape(std::string_view name);
std::vector<std::string_view> shape_names();

struct NamedType {
  std::string name;
  Type type;
};

// The states that the model's graph reads, in the order of first use, without the key-value caches. `types` decides the storage type of
// each (WeightMap::types(), or any function); without it all are f32.
std::vector<NamedType> model_weights(const ModelConfig& config, const WeightTypes& types = {}, const std::string& checkpoint = "the checkpoint");

int64_t count_parameters(const ModelConfig& config);  // a tied embedding once

}  // namespace motley
