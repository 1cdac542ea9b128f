// Writes a safetensors file, streamed in the order the tensors were declared. Nothing appears under the path before commit().
//
//   SafetensorsWriter out("model.safetensors");
//   out.set_metadata("format", "pt");
//   out.declare("model.norm.weight", Dtype::f32, {64});
//   out.write("model.norm.weight", bytes);     // whole or in pieces
//   out.commit();
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tensor/tensor.h"

namespace motley {

class SafetensorsWriter {
 public:
  explicit SafetensorsWriter(const std::string& path);
  void set_metadata(std::string_view key, std::string_view value);
  void declare(std::string_view name, Dtype dtype, const Shape& shape);  // Error for quantised types: they need a GGUF file
  // The next bytes of the tensor being written, or the first of the next one declared.
  void write(std::string_view name, std::span<const std::byte> bytes);
  void commit();
  uint64_t written() const { return file_.written(); }

 private:
  struct Declared {
    std::string name;
    Dtype dtype;
    Shape shape;
    uint64_t size_bytes;
  };
  void write_header();
  void skip_finished();

  AtomicFile file_;
  std::string path_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Declared> tensors_;
  size_t current_ = 0;         // the tensor being written
  uint64_t current_done_ = 0;  // bytes of it
  bool header_written_ = false;
};

}  // namespace motley
