// Where a model file's bytes are: a mapped file, or memory (tests, fuzzing). The readers of this folder see both alike.
//
//   ByteSource source = ByteSource::open("model.safetensors");
//   source.copy(8, header);                                // through read(): a file truncated meanwhile is an Error
//   Tensor w = source.tensor(Dtype::f32, {4, 4}, offset);  // borrows the mapping
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/tensor.h"

namespace motley {

class ByteSource {
 public:
  static ByteSource open(const std::string& path);
  static ByteSource from_bytes(std::vector<std::byte> bytes, std::string what);  // what stands for the path in messages

  const std::string& path() const { return path_; }
  uint64_t size() const { return bytes_.size(); }

  // The caller has checked that the range lies within size().
  void copy(uint64_t offset, std::span<std::byte> to) const;
  void drop(uint64_t offset, uint64_t size) const;  // these pages are not needed any more

  // The bytes at offset as a tensor: borrowed, or copied where its elements would not be aligned.
  Tensor tensor(Dtype dtype, const Shape& shape, uint64_t offset) const;

 private:
  std::string path_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const MappedFile> mapping_;  // one of these two
  std::shared_ptr<const std::vector<std::byte>> memory_;
};

}  // namespace motley
