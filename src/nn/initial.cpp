#include "nn/initial.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "nn/families.h"
#include "quant/format.h"

namespace motley {
namespace {

struct Distribution {
  enum { constant, normal, uniform } kind;
  double size;  // the value; the deviation; the bound on both sides
};

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::ranges::any_of(endings, [&](std::string_view e) { return name.ends_with(e); });
}

Distribution of_classifier(const ModelConfig& c, std::string_view name, const Type& type) {
  if (name.starts_with("rnn.")) return {Distribution::uniform, 1 / std::sqrt(static_cast<double>(c.ff))};
  if (name.starts_with("norms.")) return {Distribution::constant, ends_with_any(name, {".weight", ".running_var"}) ? 1.0 : 0.0};
  if (name == "embedding.weight") return {Distribution::normal, 0.1};
  if (name.ends_with(".bias")) return {Distribution::constant, 0};
  double inputs = 1;
  for (int axis = 1; axis < type.rank(); ++axis) inputs *= static_cast<double>(type.dim(axis).n);
  return {Distribution::uniform, 1 / std::sqrt(inputs)};
}

Distribution of_transformer(const ModelConfig& c, const Family& family, std::string_view name, const Type& type) {
  constexpr double kDeviation = 0.02;
  if (name.ends_with(".bias") || name == "final_logits_bias") return {Distribution::constant, 0};
  if (type.rank() == 1) return {Distribution::constant, 1 - static_cast<double>(c.norm_offset)};
  // The last matrix of attention and of each feed-forward, as the families call them.
  const bool to_residual = ends_with_any(
      name, {".o_proj.weight", ".down_proj.weight", ".c_proj.weight", ".attention.dense.weight", ".dense_4h_to_h.weight", ".w2.weight"});
  if (family.kind == FamilyKind::decoder && to_residual) return {Distribution::normal, kDeviation / std::sqrt(2.0 * static_cast<double>(c.layers))};
  return {Distribution::normal, kDeviation};
}

}  // namespace

Tensor initial_weight(const ModelConfig& config, const std::string& state, const Type& type, uint64_t seed) {
  check(type.dtype == Dtype::f32 || type.dtype == Dtype::f16 || type.dtype == Dtype::bf16, "what begins to learn is not quantised");
  const Family& family = family_of(config);
  const Distribution d = family.kind == FamilyKind::classifier ? of_classifier(config, state, type) : of_transformer(config, family, state, type);
  const auto size = static_cast<float>(d.size);
  std::vector<float> x(static_cast<size_t>(max_elements(type.shape)), size);
  const uint64_t stream = stream_of(state);
  for (size_t i = 0; i < x.size() && d.kind != Distribution::constant; ++i)
    x[i] = size * (d.kind == Distribution::normal ? philox_normal(seed, stream, i) : 2 * philox_uniform(seed, stream, i) - 1);
  Tensor tensor = Tensor::zeros(type.dtype, bind(type.shape, {}));
  format(type.dtype).pack(x.data(), tensor.mutable_bytes(), static_cast<int64_t>(x.size()));
  return tensor;
}

}  // namespace motley
