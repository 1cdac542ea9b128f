// From one checkpoint form to the other, apart from copying bytes: what the configuration is called there, under which names the tensors
// go, and how their elements lie. Pure functions; a model that the other form has no words for is refused rather than changed.
//
//   write_metadata(gguf_metadata(config), writer);
//   for (const TensorPlan& t : plan_tensors(config, weights.types(), weights.path(), CheckpointFormat::gguf)) {
//     Tensor w = rearrange(t, weights.load(t.state));     // named t.name, of type t.dtype and shape t.shape
//   }
//   for (const auto& [name, tensor] : gguf_rope_tensors(config)) ...
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "nn/config.h"
#include "nn/config_sink.h"
#include "ops/builder.h"
#include "tensor/tensor.h"

namespace motley {

class GgufWriter;

// config.json. stored: "float32", "bfloat16" or "float16", what most weights are.
std::string hf_config_text(const ModelConfig& config, std::string_view stored);

// Everything but the tokenizer and general.file_type. Error(usage) naming what GGUF cannot say.
std::vector<ConfigEntry> gguf_metadata(const ModelConfig& config);
void write_metadata(std::span<const ConfigEntry> metadata, GgufWriter& writer);

// Rotary factors, which GGUF keeps among the tensors.
struct MadeTensor {
  std::string name;
  Tensor values;
};
std::vector<MadeTensor> gguf_rope_tensors(const ModelConfig& config);

enum class Rearrangement : uint8_t {
  none,
  interleave,  // rows of each head: halves that turn together become neighbours
  halve,       // and back
  add_one,
  subtract_one,
  transpose,
  by_part,  // fused q, k, v rows: from head by head to all of q, then k, then v
  by_head,  // and back
};

// One tensor of the new checkpoint.
struct TensorPlan {
  std::string name;
  Dtype dtype;  // as rearrange() returns it: the stored type, but F32 where the form wants that (GGUF: vectors, norms, routers)
  Shape shape;
  std::string state;    // where it comes from
  int64_t expert = -1;  // of a state that stacks experts, this one alone
  Rearrangement how = Rearrangement::none;
  int64_t heads = 1;      // groups of rows that are reordered alike
  bool keep_f32 = false;  // readers expect F32 here, whatever the other weights are stored as
};

// types and checkpoint: the storage types of the model's states and whose they are, as for a Builder.
std::vector<TensorPlan> plan_tensors(const ModelConfig& config, const WeightTypes& types, const std::string& checkpoint, CheckpointFormat to);
Tensor rearrange(const TensorPlan& plan, const Tensor& state);

// `rows` [out, ...] belong to the outputs of a matrix of the model, such as the second factor of a change to it, in the order of one form: the same
// rows in the order of the other.
Tensor arrange_rows(const ModelConfig& config, const std::string& state, const Tensor& rows, CheckpointFormat from, CheckpointFormat to);

}  // namespace motley
