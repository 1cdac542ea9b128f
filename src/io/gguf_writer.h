// Writes a GGUF file (version 3): metadata first, then the tensors, streamed in the order they were declared. Nothing appears under the
// path before commit(), and a failure on the way leaves what was there.
//
//   GgufWriter out("model.gguf");
//   out.set_string("general.architecture", "llama");
//   out.set_u32("llama.block_count", 5);
//   out.declare("output_norm.weight", Dtype::f32, {64});
//   out.write("output_norm.weight", bytes);     // whole or in pieces
//   out.commit();
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "io/gguf.h"
#include "tensor/tensor.h"

namespace motley {

class GgufWriter {
 public:
  explicit GgufWriter(const std::string& path, uint32_t alignment = 32);  // alignment: a power of two from 8

  // A key set again keeps its place and takes the later value.
  void set_string(std::string_view key, std::string_view value);
  void set_bool(std::string_view key, bool value);
  void set_u32(std::string_view key, uint32_t value);
  void set_i32(std::string_view key, int32_t value);
  void set_u64(std::string_view key, uint64_t value);
  void set_f32(std::string_view key, float value);
  void set_strings(std::string_view key, std::span<const std::string_view> values);
  void set_i32s(std::string_view key, std::span<const int32_t> values);
  void set_f32s(std::string_view key, std::span<const float> values);
  void set_bools(std::string_view key, const std::vector<bool>& values);
  void set_bytes(std::string_view key, std::string_view values);  // an array of u8
  // The value of another file, as it is. (Not general.alignment, which is this file's own.)
  void copy(const GgufFile& from, const GgufEntry& entry);
  void unset(std::string_view key);

  void declare(std::string_view name, Dtype dtype, const Shape& shape);
  // The next bytes of the tensor being written, or the first of the next one declared.
  void write(std::string_view name, std::span<const std::byte> bytes);
  void commit();
  uint64_t written() const { return file_.written(); }

 private:
  struct Entry {
    std::string key, value;  // value: type and bytes, as in the file
  };
  struct Declared {
    std::string name;
    uint32_t type;
    Shape shape;
    uint64_t size_bytes, offset;
  };
  void set(std::string_view key, std::string value);
  void write_header();
  void pad();

  AtomicFile file_;
  std::string path_;
  uint64_t alignment_, data_bytes_ = 0;
  std::vector<Entry> entries_;
  std::vector<Declared> tensors_;
  size_t current_ = 0;         // the tensor being written
  uint64_t current_done_ = 0;  // bytes of it
  bool header_written_ = false;
};

}  // namespace motley
