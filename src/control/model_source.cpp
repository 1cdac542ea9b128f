#include "control/model_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"
#include "nn/families.h"
#include "nn/weights.h"
#include "quant/format.h"
#include "tensor/half.h"

namespace motley {
namespace {

// What the functions of a ModelSource share.
struct CheckpointModel {
  CheckpointModel(std::shared_ptr<const Checkpoint> c, int64_t context)
      : checkpoint(std::move(c)), config(checkpoint->gguf() ? read_config(*checkpoint->gguf()) : read_config(checkpoint->config(), checkpoint->path())), weights(config, *checkpoint) {
    config.context = context;
  }
  CheckpointModel(const CheckpointModel&) = delete;  // weights refers to config
  CheckpointModel& operator=(const CheckpointModel&) = delete;
  std::shared_ptr<const Checkpoint> checkpoint;
  ModelConfig config;
  WeightMap weights;
};

// Fills a quantised tensor with blocks like those of packed normal numbers: one block row is packed and repeated from changing starts.
void random_blocks(Dtype type, uint64_t seed, uint64_t stream, float deviation, std::span<std::byte> to) {
  const DtypeInfo& d = info(type);
  constexpr int64_t kBlocks = 1024;
  std::vector<float> x(static_cast<size_t>(kBlocks * d.block));
  for (size_t i = 0; i < x.size(); ++i) x[i] = deviation * philox_normal(seed, stream, i);
  std::vector<std::byte> packed(static_cast<size_t>(kBlocks * d.block_bytes));
  format(type).pack(x.data(), packed.data(), static_cast<int64_t>(x.size()));
  auto bytes = static_cast<size_t>(d.block_bytes);
  size_t chunk = 0;
  for (size_t at = 0; at < to.size(); ++chunk) {
    size_t start = philox(seed, stream + 1, chunk) % kBlocks * bytes, n = std::min(packed.size() - start, to.size() - at);
    std::memcpy(to.data() + at, packed.data() + start, n);
    at += n;
  }
}

uint64_t stream_of(const std::string& name) {
  uint64_t h = 14695981039346656037ull;  // FNV-1a
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h & ~uint64_t{1};
}

}  // namespace

ModelSource model_from_checkpoint(std::shared_ptr<const Checkpoint> checkpoint, int64_t context) {
  auto model = std::make_shared<CheckpointModel>(std::move(checkpoint), context);
  return {
      .name = model->checkpoint->path(),
      .config = model->config,
      .types = model->weights.types(),
      .load = [model](const std::string& state) { return model->weights.load(state); },
      .read = [model](const std::string& state, std::span<std::byte> to) { model->weights.read(state, to); },
      .drop = [model](const std::string& state) { model->weights.drop(state); },
  };
}

}  // namespace motley
