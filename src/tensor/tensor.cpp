#include "tensor/tensor.h"

#include <fmt/core.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"

namespace motley {

int64_t num_elements(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

std::string to_string(const Shape& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += fmt::format("{}{}", i ? "," : "", shape[i]);
  return out + "]";
}

Tensor Tensor::zeros(Dtype dtype, Shape shape) {
  Tensor t;
  t.dtype_ = dtype, t.shape_ = std::move(shape);
  size_t bytes = (t.size_bytes() + 63) / 64 * 64;
  void* p = std::aligned_alloc(64, bytes ? bytes : 64);
  if (!p) throw std::bad_alloc();
  std::memset(p, 0, bytes ? bytes : 64);
  t.owner_ = std::shared_ptr<const void>(p, [](const void* q) { std::free(const_cast<void*>(q)); });
  t.bytes_ = static_cast<const std::byte*>(p), t.owned_ = true;
  return t;
}

Tensor Tensor::borrow(Dtype dtype, Shape shape, const std::byte* bytes, std::shared_ptr<const void> owner) {
  Tensor t;
  t.dtype_ = dtype, t.shape_ = std::move(shape), t.bytes_ = bytes, t.owner_ = std::move(owner);
  return t;
}

Tensor Tensor::of(Shape shape, std::vector<float> values) {
  check(num_elements(shape) == static_cast<int64_t>(values.size()), "as many values as the shape holds");
  Tensor t = zeros(Dtype::f32, std::move(shape));
  std::memcpy(t.mutable_bytes(), values.data(), values.size() * sizeof(float));
  return t;
}

uint64_t tensor_bytes(Dtype dtype, const Shape& shape) { return static_cast<uint64_t>(row_bytes(dtype, num_elements(shape))); }
size_t Tensor::size_bytes() const { return tensor_bytes(dtype_, shape_); }

std::byte* Tensor::mutable_bytes() {
  check(owned_, "a borrowed tensor is read-only");
  return const_cast<std::byte*>(bytes_);
}

Tensor Tensor::reshaped(Shape shape) const {
  check(num_elements(shape) == size(), "reshape keeps the number of elements");
  Tensor t = *this;
  t.shape_ = std::move(shape);
  return t;
}

}  // namespace motley
