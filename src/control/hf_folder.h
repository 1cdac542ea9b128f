// What a Hugging Face folder consists of besides the mathematics: configuration, the tokenizer's files, weights in shards. Shared by those
// who write models anew (compress/) and those who write what was learned (train/).
//
//   AtomicFolder out(path);
//   write_description(out, {.config = config, .checkpoint = &checkpoint, .tokenizer = tokenizer, .stored = "float32"}, warnings);
//   write_weights(out, tensors, max_shard_bytes, [&](size_t i) { return load(tensors[i].name); });
//   out.commit();
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_folder.h"
#include "io/checkpoint.h"
#include "io/tokenizer/tokenizer.h"
#include "nn/config.h"
#include "tensor/tensor.h"

namespace motley {

struct HfDescription {
  const ModelConfig& config;
  const Checkpoint* checkpoint = nullptr;  // where the model comes from: its own config.json may say more than this program reads
  const Tokenizer* tokenizer = nullptr;    // null: the folder has none
  std::string tokenizer_folder = "";       // whose files are copied; empty: the checkpoint's, or written from what was read
  bool sentence = false;                   // beside the configuration, what turns texts into vectors: the files of a sentence-transformers folder
  const char* stored = "float32";          // what most weights are: "float32", "bfloat16" or "float16"
};

// config.json, generation_config.json and the tokenizer's files. Warnings, a sentence each, say what is missing.
void write_description(const AtomicFolder& out, const HfDescription& description, std::vector<std::string>& warnings);

struct StoredTensor {
  std::string name;
  Dtype type;
  Shape shape;
};

// model.safetensors, or shards of at most so many bytes (a tensor is never cut) with their index. load is asked for each in turn.
void write_weights(const AtomicFolder& out, std::span<const StoredTensor> tensors, uint64_t max_shard_bytes,
                   const std::function<Tensor(size_t index)>& load);

}  // namespace motley
