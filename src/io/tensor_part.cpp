#include "io/tensor_part.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "quant/format.h"

namespace motley {
namespace {

constexpr std::string_view kPowersOfTwo = "F8_E8M0";

}  // namespace

std::vector<std::byte> TensorPart::bytes() const {
  std::vector<std::byte> out(tensor->size_bytes);
  file->read(*tensor, out);
  return out;
}

std::vector<int32_t> TensorPart::words() const {
  check(tensor->dtype() == Dtype::i32, "words are I32");
  std::vector<int32_t> out(tensor->size_bytes / sizeof(int32_t));
  file->read(*tensor, std::as_writable_bytes(std::span(out)));
  return out;
}

bool TensorPart::has_floats() const {
  auto dtype = tensor->dtype();
  return dtype == Dtype::f32 || dtype == Dtype::f16 || dtype == Dtype::bf16 || tensor->type->name == kPowersOfTwo;
}

std::vector<float> TensorPart::floats() const {
  check(has_floats(), "scales are numbers");
  const std::vector<std::byte> stored = bytes();
  std::vector<float> out(static_cast<size_t>(num_elements(tensor->shape)));
  if (tensor->type->name == kPowersOfTwo) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = std::ldexp(1.0f, static_cast<int>(stored[i]) - 127);
  } else {
    format(*tensor->dtype()).unpack(stored.data(), out.data(), static_cast<int64_t>(out.size()));
  }
  return out;
}

TensorPart find_part(std::span<const SafetensorsFile> files, std::string_view name) {
  for (const SafetensorsFile& file : files)
    if (const SafetensorsTensor* tensor = file.find_tensor(name)) return {&file, tensor};
  return {};
}

TensorPart require_part(std::span<const SafetensorsFile> files, const std::string& name, std::string_view belongs_to) {
  TensorPart part = find_part(files, name);
  if (!part)
    fail(ErrorKind::file, "quantised", "tensor '{}' is missing, which belongs to '{}'. Is the download complete?", printable(name),
         printable(belongs_to));
  return part;
}

}  // namespace motley
