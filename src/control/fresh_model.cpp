#include "control/fresh_model.h"

#include <map>

#include "nn/heads.h"
#include "nn/initial.h"
#include "nn/shapes.h"

namespace motley {
namespace {

// Of each state that is not the source's own.
using FreshTypes = std::map<std::string, Type>;

}  // namespace

ModelSource fresh_model(const std::string& name, const ModelConfig& config, uint64_t seed) {
  auto types = std::make_shared<FreshTypes>();
  for (const NamedType& w : model_weights(config)) types->emplace(w.name, w.type);
  return {
      .name = name,
      .config = config,
      .types = [types](const std::string& state) -> std::optional<Type> {
        auto it = types->find(state);
        return it == types->end() ? std::nullopt : std::optional(it->second);
      },
      .load = [types, config, seed](const std::string& state) { return initial_weight(config, state, types->at(state), seed); },
      .drop = [](const std::string&) {},
  };
}

ModelSource with_head(const ModelSource& source, const ModelConfig& config, uint64_t seed) {
  auto fresh = std::make_shared<FreshTypes>();
  for (const NamedType& w : model_weights(config, with_fresh_head(config, source.types), source.name)) {
    auto own = source.types(w.name);
    if (!own || *own != w.type) fresh->emplace(w.name, w.type);
  }
  ModelSource out = source;
  out.config = config;
  out.types = [fresh, types = source.types](const std::string& state) -> std::optional<Type> {
    auto it = fresh->find(state);
    return it == fresh->end() ? types(state) : std::optional(it->second);
  };
  out.load = [fresh, config, seed, load = source.load](const std::string& state) {
    auto it = fresh->find(state);
    return it == fresh->end() ? load(state) : initial_weight(config, state, it->second, seed);
  };
  if (source.read_part)
    out.read_part = [fresh, read = source.read_part](const std::string& state, uint64_t from, std::span<std::byte> to) {
      return !fresh->contains(state) && read(state, from, to);
    };
  out.drop = [fresh, drop = source.drop](const std::string& state) {
    if (!fresh->contains(state)) drop(state);
  };
  return out;
}

}  // namespace motley
