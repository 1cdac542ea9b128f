// safetensors files: a JSON table of tensors, then their bytes. The table comes from strangers, so the format's rules are enforced as
// written: at most 100 MB of header, no key twice, every tensor's bytes as many as its type and shape say, and the tensors cover the rest
// of the file without overlap, hole or remainder. Anything else is Error(file) naming the field and its byte.
//
//   SafetensorsFile file = SafetensorsFile::open("model.safetensors");
//   Tensor w = file.load("model.norm.weight");     // borrows the mapping
//
//   std::vector<SafetensorsFile> shards = open_safetensors_index("model.safetensors.index.json");
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/byte_source.h"
#include "tensor/tensor.h"

namespace motley {

struct SafetensorsDtype {
  const char* name;            // as the format spells it: "F32", "F8_E4M3"
  int64_t bits;                // of one element
  std::optional<Dtype> dtype;  // nothing: known by name only
};
const SafetensorsDtype* find_safetensors_dtype(std::string_view name);
const char* safetensors_name(Dtype dtype);  // null for quantised types, which the format does not have

struct SafetensorsTensor {
  std::string name;
  const SafetensorsDtype* type;
  Shape shape;
  uint64_t offset;  // of the first byte in the file
  uint64_t size_bytes;

  std::optional<Dtype> dtype() const { return type->dtype; }
};

class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);
  static SafetensorsFile from_bytes(std::vector<std::byte> bytes, std::string what);
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  const std::string& path() const { return source_.path(); }
  uint64_t size_bytes() const { return source_.size(); }
  // The free-form texts of "__metadata__"; entries beyond 16 MiB in sum are checked but not kept.
  std::span<const std::pair<std::string, std::string>> metadata() const { return metadata_; }

  std::span<const SafetensorsTensor> tensors() const { return tensors_; }  // in the header's order
  const SafetensorsTensor* find_tensor(std::string_view name) const;
  Tensor load(std::string_view name) const;                                   // Error when absent or of a type this program does not compute with
  void read(const SafetensorsTensor& tensor, std::span<std::byte> to) const;  // a copy, to has its size
  void read(const SafetensorsTensor& tensor, uint64_t from_byte, std::span<std::byte> to) const;  // a part of it
  void drop(const SafetensorsTensor& tensor) const;                                               // its pages are no longer needed

 private:
  friend class SafetensorsParser;
  explicit SafetensorsFile(ByteSource source);

  ByteSource source_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<SafetensorsTensor> tensors_;
  std::vector<uint32_t> by_name_;  // sorted, for look-up
};

// All files that model.safetensors.index.json names, each opened and checked; every tensor of the index is in the file it says, and no
// tensor is in two. Shard names that lead out of the folder are refused.
std::vector<SafetensorsFile> open_safetensors_index(const std::string& index_path);

}  // namespace motley
