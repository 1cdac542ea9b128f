// A model with weights made up on the spot: what a shape costs can be measured without its checkpoint.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/check.h"
#include "base/random.h"
#include "control/model_source.h"
#include "nn/families.h"
#include "nn/shapes.h"
#include "quant/format.h"

namespace motley {
namespace {

// Blocks of packed normal numbers. 1,024 of them are packed and then repeated from changing starts, since packing a billion numbers would
// take longer than what is to be measured.
void random_blocks(Dtype type, uint64_t seed, uint64_t stream, float deviation, std::span<std::byte> to) {
  constexpr size_t kBlocks = 1024;
  const auto block = static_cast<size_t>(info(type).block), block_bytes = static_cast<size_t>(info(type).block_bytes);
  std::vector<float> x(std::max<size_t>(kBlocks * block, 32768) / block * block);
  for (size_t i = 0; i < x.size(); ++i) x[i] = deviation * philox_normal(seed, stream, i);
  std::vector<std::byte> packed(x.size() / block * block_bytes);
  format(type).pack(x.data(), packed.data(), static_cast<int64_t>(x.size()));
  uint64_t chunk = 0;
  for (size_t at = 0; at < to.size(); ++chunk) {
    size_t start = chunk == 0 ? 0 : philox(seed, stream + 1, chunk) % (packed.size() / block_bytes) * block_bytes;
    size_t n = std::min(packed.size() - start, to.size() - at);
    std::memcpy(to.data() + at, packed.data() + start, n);
    at += n;
  }
}

// Norm weights are one, biases zero, and matrices as wide as keeps the size of what flows through them.
void fill(const Type& type, const std::string& name, uint64_t seed, std::span<std::byte> to) {
  bool vector = type.rank() == 1;
  if (vector && name.ends_with(".bias")) {
    std::ranges::fill(to, std::byte{0});
  } else if (vector) {
    std::vector<float> ones(static_cast<size_t>(max_elements(type.shape)), 1.0f);
    format(type.dtype).pack(ones.data(), to.data(), static_cast<int64_t>(ones.size()));
  } else {
    random_blocks(type.dtype, seed, stream_of(name), 1 / std::sqrt(static_cast<float>(type.dim(-1).n)), to);
  }
}

}  // namespace

ModelSource random_model(const std::string& name, const ModelConfig& shape_of, const Recipe& recipe, uint64_t seed) {
  // Laid out as a GGUF file would be: matrices [out, in], as quantised types need them.
  ModelConfig config = shape_of;
  config.format = CheckpointFormat::gguf;
  config.input_first = config.qkv_by_head = false;
  config.norm_offset = 0;
  if (family_of(config).difference == FormatDifference::rotary_rows) config.pairing = RopePairing::interleaved;
  auto types = std::make_shared<std::map<std::string, Type>>();
  for (const NamedType& w : model_weights(config)) {
    Shape shape = bind(w.type.shape, {});
    RecipeTensor tensor{w.name, shape, layer_of(w.name), config.layers,
                        w.name.starts_with("lm_head") || (config.tied && w.name.find("embed") != std::string::npos)};
    (*types)[w.name] = {recipe.type_of(tensor), w.type.shape};
  }
  auto read = [types, seed](const std::string& state, std::span<std::byte> to) { fill(types->at(state), state, seed, to); };
  return {
      .name = name,
      .config = config,
      .types = [types](const std::string& state) -> std::optional<Type> {
        auto it = types->find(state);
        return it == types->end() ? std::nullopt : std::optional(it->second);
      },
      .load =
          [types, read](const std::string& state) {
            const Type& type = types->at(state);
            Tensor t = Tensor::zeros(type.dtype, bind(type.shape, {}));
            read(state, {t.mutable_bytes(), t.size_bytes()});
            return t;
          },
      .drop = [](const std::string&) {},
  };
}

int64_t layer_of(const std::string& state) {
  for (const char* marker : {"layers.", "layer.", ".h.", "blk."}) {
    auto at = state.find(marker);
    if (at == std::string::npos) continue;
    return std::strtoll(state.c_str() + at + std::strlen(marker), nullptr, 10);
  }
  return -1;
}

}  // namespace motley
