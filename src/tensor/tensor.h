// A tensor in host memory: a type, a shape, and contiguous row-major bytes that it owns or borrows.
// Copies share the bytes (the owner is reference-counted); nothing here computes.
//
//   Tensor t = Tensor::zeros(Dtype::f32, {2, 3});
//   std::span<float> x = t.mutable_data<float>();
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace motley {

using Shape = std::vector<int64_t>;

int64_t num_elements(const Shape& shape);   // 1 for a scalar (empty shape)
std::string to_string(const Shape& shape);  // "[2,3]"
uint64_t tensor_bytes(Dtype dtype, const Shape& shape);

class Tensor {
 public:
  Tensor() = default;
  static Tensor zeros(Dtype dtype, Shape shape);  // owns zeroed memory, aligned to 64 bytes
  static Tensor borrow(Dtype dtype, Shape shape, const std::byte* bytes, std::shared_ptr<const void> owner);  // owner may be null
  static Tensor of(Shape shape, std::vector<float> values);                                                   // f32; owns

  Dtype dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t dim(int axis) const { return shape_[static_cast<size_t>(axis < 0 ? axis + static_cast<int>(shape_.size()) : axis)]; }
  int64_t size() const { return num_elements(shape_); }
  size_t size_bytes() const;
  bool empty() const { return bytes_ == nullptr; }
  bool owns_bytes() const { return owned_; }  // false: they may be a file's, and vanish with it

  const std::byte* bytes() const { return bytes_; }
  std::byte* mutable_bytes();  // only for tensors that own their memory
  template <class T>
  std::span<const T> data() const {
    return {reinterpret_cast<const T*>(bytes_), size_bytes() / sizeof(T)};
  }
  template <class T>
  std::span<T> mutable_data() {
    return {reinterpret_cast<T*>(mutable_bytes()), size_bytes() / sizeof(T)};
  }

  // The same bytes under another shape of as many elements.
  Tensor reshaped(Shape shape) const;

 private:
  Dtype dtype_ = Dtype::f32;
  Shape shape_;
  const std::byte* bytes_ = nullptr;
  std::shared_ptr<const void> owner_;
  bool owned_ = false;
};

}  // namespace motley
