#include "nn/weights.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "nn/names.h"

namespace motley {
namespace {

int64_t rows_of(const Shape& shape) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

}  // namespace

std::optional<WeightParts> WeightMap::find_one(const std::string& tensor) const {
  const CheckpointTensor* found = checkpoint_.find(tensor);
  if (!found) return std::nullopt;
  if (!found->dtype)
    fail(ErrorKind::file, "model", "{}: tensor '{}' is stored as {}, which is not supported; the nearest that is: {}", checkpoint_.path(), tensor,
         found->type_name, found->nearest);
  if (found->shape.empty()) fail(ErrorKind::file, "model", "{}: tensor '{}' is a single number, expected a weight", checkpoint_.path(), tensor);
  return WeightParts{{*found->dtype, fixed(found->shape)}, {{tensor, 0, rows_of(found->shape)}}, true};
}

// The experts' matrices: one tensor for each in most files; one tensor for all, with gate and up on top of each other, in some.
std::optional<WeightParts> WeightMap::find_experts(const std::string& state) const {
  auto experts = expert_state(state);
  if (!experts) return std::nullopt;
  WeightParts source;
  source.whole = false;
  if (auto fused = find_one(experts->fused); fused && fused->type.rank() == 3) {
    const Dims& shape = fused->type.shape;
    const bool half = experts->part != ExpertState::down;
    if (!half) return fused;
    if (shape[1].n % 2 != 0)
      fail(ErrorKind::file, "model", "{}: '{}' has {} rows for gate and up together, expected an even number", checkpoint_.path(), experts->fused,
           shape[1].n);
    const int64_t rows = shape[1].n / 2, first = experts->part == ExpertState::up ? rows : 0;
    source.type = {fused->type.dtype, {shape[0], {rows}, shape[2]}};
    for (int64_t e = 0; e < shape[0].n; ++e) source.pieces.push_back({experts->fused, e * shape[1].n + first, rows});
    return source;
  }
  for (int64_t e = 0; e < config_.experts; ++e) {
    std::string name = fmt::format("{}{}{}", experts->before, e, experts->after);
    auto one = find_one(name);
    if (!one && e == 0) return std::nullopt;
    if (!one)
      fail(ErrorKind::file, "model", "{}: tensor '{}' is missing, expected one for each of the {} experts", checkpoint_.path(), name,
           config_.experts);
    if (e == 0) {
      source.type = one->type;
      source.type.shape.insert(source.type.shape.begin(), Dim{config_.experts});
    } else if (one->type.dtype != source.type.dtype ||
               !std::equal(one->type.shape.begin(), one->type.shape.end(), source.type.shape.begin() + 1, source.type.shape.end())) {
      fail(ErrorKind::file, "model", "{}: tensor '{}' is {}, expected the type and shape of expert 0, as {} together", checkpoint_.path(), name,
           to_string(one->type), to_string(source.type));
    }
    source.pieces.push_back(one->pieces[0]);
  }
  return source;
}

std::optional<WeightParts> WeightMap::find(const std::string& state) const {
  const Family& family = family_of(config_);
  if (config_.format == CheckpointFormat::gguf) {
    auto name = gguf_name(family, state);
    return name ? find_one(*name) : std::nullopt;
  }
  for (const std::string& name : hf_candidates(family, state)) {
    if (auto source = find_one(name)) return source;
    if (auto source = find_experts(name)) return source;
  }
  return std::nullopt;
}

WeightTypes WeightMap::types() const {
  return [this](const std::string& state) -> std::optional<Type> {
    auto source = find(state);
    return source ? std::optional(source->type) : std::nullopt;
  };
}

WeightParts WeightMap::require(const std::string& state) const {
  auto source = find(state);
  if (!source) fail(ErrorKind::file, "model", "{}: no tensor for '{}'", checkpoint_.path(), state);
  return *std::move(source);
}

Tensor WeightMap::load(const std::string& state) const {
  WeightParts source = require(state);
  const Shape shape = bind(source.type.shape, {});
  if (source.whole) return checkpoint_.load(source.pieces[0].tensor);
  Tensor tensor = Tensor::zeros(source.type.dtype, shape);
  read(state, {tensor.mutable_bytes(), tensor.size_bytes()});
  return tensor;
}

void WeightMap::read(const std::string& state, std::span<std::byte> to) const {
  WeightParts source = require(state);
  if (source.whole) {
    checkpoint_.read(source.pieces[0].tensor, to);
    return;
  }
  const auto row = static_cast<size_t>(row_bytes(source.type.dtype, source.type.dim(-1).n));
  Tensor whole;  // that pieces are cut from: converted once, if it has to be
  std::string whole_name;
  for (const WeightPiece& piece : source.pieces) {
    const auto begin = static_cast<size_t>(piece.first_row) * row, size = static_cast<size_t>(piece.rows) * row;
    check(size <= to.size(), "a state's buffer has the state's size");
    if (size == checkpoint_.find(piece.tensor)->size_bytes) {
      checkpoint_.read(piece.tensor, to.first(size));
    } else {
      // From the file where it lies there: bytes of a mapping may be gone by the time they are copied.
      if (!checkpoint_.read_part(piece.tensor, begin, to.first(size))) {
        if (whole_name != piece.tensor) whole = checkpoint_.load(piece.tensor), whole_name = piece.tensor;
        std::memcpy(to.data(), whole.bytes() + begin, size);
      }
    }
    to = to.subspan(size);
  }
}

bool WeightMap::read_part(const std::string& state, uint64_t from_byte, std::span<std::byte> to) const {
  WeightParts source = require(state);
  return source.whole && checkpoint_.read_part(source.pieces[0].tensor, from_byte, to);
}

void WeightMap::drop(const std::string& state) const {
  for (const WeightPiece& piece : require(state).pieces) checkpoint_.drop(piece.tensor);
}

}  // namespace motley
