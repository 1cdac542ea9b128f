#include "io/float8_weight.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "quant/format.h"
#include "tensor/half.h"

namespace motley {
namespace {

constexpr int64_t kChunkElements = 1 << 18;

// How far apart scales are along each axis.
struct Scaling {
  int64_t rows = 0, columns = 0, per_row = 0;
};

class Float8Weight final : public ConvertedTensor {
 public:
  Float8Weight(const TensorPart& numbers, const TensorPart& scales, const Scaling& scaling)
      : numbers_(numbers), scales_(scales), scaling_(scaling), outputs_(numbers->shape[0]), inputs_(numbers->shape[1]) {
    const bool e4m3 = std::string_view(numbers->type->name) == "F8_E4M3";
    for (int i = 0; i < 256; ++i) value_[i] = e4m3 ? float8_e4m3(static_cast<uint8_t>(i)) : float8_e5m2(static_cast<uint8_t>(i));
  }

  Dtype dtype() const override { return inputs_ % 32 == 0 ? Dtype::q8_0 : Dtype::f16; }

  void read(std::span<std::byte> to) const override {
    const std::vector<float> scales = scales_ ? scales_.floats() : std::vector<float>{1.0f};
    const int64_t row = row_bytes(dtype(), inputs_);
    in_parallel(outputs_, std::max<int64_t>(1, kChunkElements / inputs_), [&](int64_t begin, int64_t end) {
      std::vector<std::byte> stored(static_cast<size_t>((end - begin) * inputs_));
      numbers_.file->read(*numbers_.tensor, static_cast<uint64_t>(begin * inputs_), stored);
      std::vector<float> x(static_cast<size_t>(inputs_));
      for (int64_t o = begin; o < end; ++o) {
        const std::byte* numbers = stored.data() + (o - begin) * inputs_;
        const float* of_row = scales.data() + o / scaling_.rows * scaling_.per_row;
        for (int64_t first = 0; first < inputs_; first += scaling_.columns, ++of_row)
          for (int64_t i = first; i < std::min(inputs_, first + scaling_.columns); ++i)
            x[static_cast<size_t>(i)] = value_[static_cast<size_t>(numbers[i])] * *of_row;
        format(dtype()).pack(x.data(), to.data() + o * row, inputs_);
      }
    });
  }

  void drop() const override {
    numbers_.drop();
    if (scales_) scales_.drop();
  }

 private:
  TensorPart numbers_, scales_;
  Scaling scaling_;
  int64_t outputs_, inputs_;
  float value_[256];
};

}  // namespace

bool is_float8(const SafetensorsTensor& tensor) {
  const std::string_view type = tensor.type->name;
  return type == "F8_E4M3" || type == "F8_E5M2";
}

float float8_e4m3(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  if (exponent == 15 && mantissa == 7) return std::numeric_limits<float>::quiet_NaN();
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9) : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (bits & 128) != 0 ? -size : size;
}

float float8_e5m2(uint8_t bits) { return f16_to_float(static_cast<uint16_t>(bits << 8)); }

std::shared_ptr<const ConvertedTensor> convert_float8(const StoredQuantisation& stored, const TensorPart& numbers, const TensorPart& scales) {
  const Shape& shape = numbers->shape;
  if (shape.size() != 2 || shape[0] < 1 || shape[1] < 1)
    fail(ErrorKind::file, "quantised", "{}: tensor '{}' is {} of shape {}, expected [outputs, inputs]", numbers.file->path(),
         printable(numbers->name), numbers->type->name, to_string(shape));
  if (!scales) return std::make_shared<Float8Weight>(numbers, scales, Scaling{shape[0], shape[1], 1});
  const Shape& given = scales->shape;
  const int64_t count = num_elements(given);
  Shape blocks;
  if (stored.block_rows > 0)
    blocks = {(shape[0] + stored.block_rows - 1) / stored.block_rows, (shape[1] + stored.block_columns - 1) / stored.block_columns};
  std::optional<Scaling> scaling;
  if (!blocks.empty() && given == blocks) {
    scaling = {stored.block_rows, stored.block_columns, blocks[1]};
  } else if (count == 1) {
    scaling = {shape[0], shape[1], 1};
  } else if (given == Shape{shape[0]} || given == Shape{shape[0], 1}) {
    scaling = {1, shape[1], 1};
  }
  if (!scaling || !scales.has_floats())
    fail(ErrorKind::file, "quantised",
         "{}: tensor '{}' is {} of shape {}, expected F32, F16 or BF16 scales for '{}' of shape {}: one, one for each row{}", scales.file->path(),
         printable(scales->name), scales->type->name, to_string(given), printable(numbers->name), to_string(shape),
         blocks.empty() ? "; config.json has no 'weight_block_size' that would say more" : fmt::format(", or {} for blocks", to_string(blocks)));
  return std::make_shared<Float8Weight>(numbers, scales, *scaling);
}

}  // namespace motley
