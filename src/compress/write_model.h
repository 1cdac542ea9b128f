// A model written anew, in the other form or in other storage types: `motley quantize` and `motley convert`. Weights stream one by one, so
// memory holds one of them (in both types) and never the model; nothing appears under the new name before all of it is there.
//
//   auto checkpoint = Checkpoint::open("models/SmolLM2-135M");
//   auto tokenizer = Tokenizer::load(checkpoint.folder());
//   WriteReport report = write_gguf(checkpoint, tokenizer.get(), "smollm2.gguf", {.recipe = find_recipe("q4_k_m")});
//   double lost = report.types[0].loss.relative();
//
// Error(usage) when the new file is (a part of) the model it is made from, Error(runtime) when the disk is full.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compress/repack.h"
#include "control/peft.h"
#include "io/checkpoint.h"
#include "io/tokenizer/tokenizer.h"
#include "quant/recipe.h"

namespace motley {

struct WriteOptions {
  std::optional<Recipe> recipe = {};  // nothing: every weight keeps its type, but safetensors, which has no block types, gets F32 for them
  std::string name = {};              // what the model is called where it does not say so itself
  int threads = 1;
  uint64_t max_shard_bytes = 5'000'000'000;         // of one safetensors file
  std::shared_ptr<const PeftAdapter> adapter = {};  // merged into the weights it adapts
  // Called as source bytes are done; what it throws ends the work and leaves nothing behind.
  std::function<void(int64_t done, int64_t total)> progress = {};
};

struct TypeReport {
  Dtype type;
  int64_t tensors = 0, elements = 0, bytes = 0;
  Loss loss;
};

struct WriteReport {
  int64_t source_bytes = 0, bytes = 0, elements = 0;  // of the tensors
  std::vector<TypeReport> types;                      // largest share first
  std::vector<std::string> warnings;                  // a sentence each

  double bits_per_weight() const { return elements > 0 ? 8.0 * static_cast<double>(bytes) / static_cast<double>(elements) : 0; }
};

// tokenizer: null for a model that has none, or that is to be written without. From GGUF to GGUF all metadata is kept as it is.
WriteReport write_gguf(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const std::string& path, const WriteOptions& options);

// A folder with config.json, generation_config.json, the tokenizer's files and model.safetensors (in shards when it is large). A recipe has
// to be one of f32, f16 and bf16, and then counts for all weights. The folder must not exist yet, or be empty.
WriteReport write_hf(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const std::string& folder, const WriteOptions& options);

}  // namespace motley
