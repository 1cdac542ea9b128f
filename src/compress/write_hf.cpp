#include <algorithm>
#include <map>

#include "base/atomic_folder.h"
#include "base/error.h"
#include "compress/weight_stream.h"
#include "control/hf_folder.h"

namespace motley {
namespace {

Dtype type_in_safetensors(const TensorPlan& plan, const std::optional<Recipe>& recipe) {
  if (recipe) return recipe->base;
  return is_quantised(plan.dtype) ? Dtype::f32 : plan.dtype;
}

const char* torch_name(const std::vector<PlannedTensor>& tensors) {
  std::map<Dtype, uint64_t> bytes;
  for (const PlannedTensor& t : tensors) bytes[t.type] += tensor_bytes(t.type, t.plan.shape);
  auto most = std::ranges::max_element(bytes, {}, [](const auto& b) { return b.second; });
  if (most == bytes.end() || most->first == Dtype::f32) return "float32";
  return most->first == Dtype::f16 ? "float16" : "bfloat16";
}

}  // namespace

WriteReport write_hf(const Checkpoint& checkpoint, const Tokenizer* tokenizer, const std::string& folder, const WriteOptions& options) {
  if (options.recipe && is_quantised(options.recipe->base))
    fail(ErrorKind::usage, "convert", "safetensors has no type '{}': write a .gguf file, or choose f32, f16 or bf16", options.recipe->name);
  const ModelConfig config = read_config(checkpoint);
  WeightStream stream(checkpoint, config, options);
  std::vector<PlannedTensor> tensors;
  uint64_t total = 0;
  bool dequantised = false;
  for (TensorPlan& plan : plan_tensors(config, stream.weights().types(), checkpoint.path(), CheckpointFormat::hf)) {
    Dtype type = type_in_safetensors(plan, options.recipe);
    dequantised = dequantised || (!options.recipe && is_quantised(plan.dtype));
    total += tensor_bytes(type, plan.shape);
    tensors.push_back({std::move(plan), type});
  }
  stream.expect_mergeable(tensors);
  AtomicFolder out(folder);
  check_room(folder, total);
  std::vector<std::string> warnings;
  if (dequantised) warnings.emplace_back("quantised weights were written as F32, which holds them exactly; --type f16 takes half the room");
  write_description(out, {.config = config, .checkpoint = &checkpoint, .tokenizer = tokenizer, .stored = torch_name(tensors)}, warnings);
  std::vector<StoredTensor> stored;
  for (const PlannedTensor& t : tensors) stored.push_back({t.plan.name, t.type, t.plan.shape});
  write_weights(out, stored, options.max_shard_bytes, [&](size_t i) { return stream.next(tensors[i]); });
  out.commit();
  WriteReport report = stream.report();
  report.warnings.insert(report.warnings.end(), warnings.begin(), warnings.end());
  return report;
}

}  // namespace motley
