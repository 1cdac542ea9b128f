// A tensor in one of a folder's safetensors files: what a weight of several tensors is made of.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace motley {

struct TensorPart {
  const SafetensorsFile* file = nullptr;  // null: there is none
  const SafetensorsTensor* tensor = nullptr;

  explicit operator bool() const { return tensor != nullptr; }
  const SafetensorsTensor* operator->() const { return tensor; }

  std::vector<std::byte> bytes() const;
  std::vector<int32_t> words() const;  // of an I32 tensor
  // Of a tensor in F32, F16, BF16 or F8_E8M0 (powers of two).
  std::vector<float> floats() const;
  bool has_floats() const;
  void drop() const { file->drop(*tensor); }
};

// Searches all files.
TensorPart find_part(std::span<const SafetensorsFile> files, std::string_view name);

// Error(file) unless the tensor is there.
TensorPart require_part(std::span<const SafetensorsFile> files, const std::string& name, std::string_view belongs_to);

}  // namespace motley
