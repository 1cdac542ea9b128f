// GGUF files, version 2 and 3: typed metadata and a table of tensors, read from a file nobody vouches for.
//
// open() copies the header into memory (at most 256 MiB), checks every count, length and span in it against the file's size once, and
// after that nothing in here can point outside the file. Anything wrong is Error(file) naming the file, the field and its byte offset.
// Views returned by the accessors live as long as the GgufFile.
//
//   GgufFile file = GgufFile::open("model.gguf");
//   std::string_view family = file.string("general.architecture");
//   int64_t layers = file.integer("llama.block_count");
//   std::vector<std::string_view> words = file.strings("tokenizer.ggml.tokens");
//   Tensor w = file.load("output_norm.weight");      // borrows the mapping
//
// Shapes are outermost first, as everywhere in this program; the file stores them innermost first.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/byte_source.h"
#include "io/gguf_types.h"
#include "tensor/tensor.h"

namespace motley {

// The types of metadata values, by the file format's numbers.
enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
const char* name(GgufType type);
uint64_t fixed_size(GgufType type);  // bytes of one value; 0 for strings and arrays, which differ

struct GgufEntry {
  std::string_view key;
  GgufType type;
  GgufType element;     // of an array; of a single value the same as type
  uint64_t count;       // elements of an array; 1
  uint64_t offset;      // where the value begins in the file (an array: its first element)
  uint64_t size_bytes;  // of the value (an array: its elements)
};

struct GgufTensor {
  std::string_view name;
  const GgmlType* type;
  Shape shape;
  uint64_t offset;      // of the first byte in the file
  uint64_t size_bytes;  // 0 for a type whose layout is not known

  std::optional<Dtype> dtype() const { return type->dtype; }
};

class GgufFile {
 public:
  static GgufFile open(const std::string& path);
  static GgufFile from_bytes(std::vector<std::byte> bytes, std::string what);  // what stands for the path in messages
  GgufFile(GgufFile&&) = default;
  GgufFile& operator=(GgufFile&&) = default;

  const std::string& path() const { return source_.path(); }
  uint32_t version() const { return version_; }
  uint64_t alignment() const { return alignment_; }
  uint64_t size_bytes() const { return source_.size(); }

  // Metadata, in file order. The find_ forms give nothing when the key is absent; a value of another type is an Error naming the key.
  // Every integer type reads as int64_t (Error when it does not fit), every number as double.
  std::span<const GgufEntry> entries() const { return entries_; }
  const GgufEntry* find(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  std::optional<int64_t> find_int(std::string_view key) const;
  std::optional<double> find_double(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::vector<std::string_view>> find_strings(std::string_view key) const;
  std::optional<std::vector<int64_t>> find_ints(std::string_view key) const;
  std::optional<std::vector<float>> find_floats(std::string_view key) const;
  std::optional<std::vector<bool>> find_bools(std::string_view key) const;
  // The same for keys that must be there.
  std::string_view string(std::string_view key) const;
  int64_t integer(std::string_view key) const;
  double number(std::string_view key) const;
  std::vector<std::string_view> strings(std::string_view key) const;

  // The stored bytes of a value, as they are in the file: for copying metadata from file to file.
  std::string_view value_bytes(const GgufEntry& entry) const;

  // Tensors, in file order.
  std::span<const GgufTensor> tensors() const { return tensors_; }
  const GgufTensor* find_tensor(std::string_view name) const;
  // The tensor on the mapping. Error when it is absent or of a type this program does not compute with.
  Tensor load(std::string_view name) const;
  // Copies the whole tensor; to must have its size. A file truncated meanwhile is an Error.
  void read(const GgufTensor& tensor, std::span<std::byte> to) const;
  void read(const GgufTensor& tensor, uint64_t from_byte, std::span<std::byte> to) const;  // a part of it
  // The tensor's pages are no longer needed.
  void drop(const GgufTensor& tensor) const;

 private:
  friend class GgufParser;
  explicit GgufFile(ByteSource source);
  const GgufEntry& require(std::string_view key) const;

  ByteSource source_;
  uint32_t version_ = 0;
  uint64_t alignment_ = 32;
  std::vector<char> header_;  // the file's beginning, up to the tensor data; keys and names are views of it
  std::vector<GgufEntry> entries_;
  std::vector<GgufTensor> tensors_;
  std::vector<uint32_t> entries_by_key_, tensors_by_name_;  // sorted, for look-up
};

}  // namespace motley
