// What can be said about a model before it is loaded: `motley show`. A config.json alone is enough for most of it, and of a model whose
// architecture is not known there remain its metadata and its tensors.
//
//   ModelFacts facts = model_facts("models/SmolLM2-135M");
//   if (facts.config) use(facts.config->layers); else show(facts.problem);
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/checkpoint.h"
#include "io/tokenizer/tokenizer.h"
#include "nn/config.h"

namespace motley {

struct StoredType {
  std::string name;  // as the file calls it
  int64_t tensors = 0, elements = 0;
  uint64_t bytes = 0;
  std::optional<Dtype> kept;  // nothing computes with this type: while loading, it is turned into that one,
  uint64_t kept_bytes = 0;    // which takes so many
};

// The types of a checkpoint's tensors, largest share first.
std::vector<StoredType> stored_types(const Checkpoint& checkpoint);

struct MemoryNeed {
  int64_t context = 0;
  Dtype kv_type = Dtype::f16;
  int64_t kv_bytes = 0, total_bytes = 0;  // total: weights, this cache, and what a step works with
};

struct ModelFacts {
  std::string path;
  std::shared_ptr<const Checkpoint> checkpoint;
  std::string architecture;           // as the file calls it; empty when it does not
  std::optional<ModelConfig> config;  // nothing: see problem
  std::string problem;                // why this program cannot run it
  int64_t parameters = 0;
  int64_t weight_bytes = 0;       // without weights: what they would have
  std::vector<StoredType> types;  // largest share first
  int64_t kv_elements_per_token = 0;
  std::vector<MemoryNeed> memory;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::string tokenizer_kind, tokenizer_problem;
  std::vector<std::pair<std::string, std::string>> metadata;  // single values of GGUF metadata or config.json, as JSON text
};

// context: memory is told for that many tokens; by default for 4,096 and for as many as the model allows.
ModelFacts model_facts(const std::string& path, std::optional<int64_t> context = std::nullopt);

}  // namespace motley
