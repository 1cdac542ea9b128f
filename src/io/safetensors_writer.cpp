#include "io/safetensors_writer.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace motley {

SafetensorsWriter::SafetensorsWriter(const std::string& path) : file_(path), path_(path) {}

void SafetensorsWriter::set_metadata(std::string_view key, std::string_view value) {
  check(!header_written_, "metadata comes before the first tensor's bytes");
  metadata_.emplace_back(key, value);
}

void SafetensorsWriter::declare(std::string_view name, Dtype dtype, const Shape& shape) {
  check(!header_written_, "tensors are declared before the first one's bytes");
  if (!safetensors_name(dtype)) {
    fail(ErrorKind::runtime, "safetensors", "{}: tensor '{}' is {}, which the format cannot hold; write a GGUF file instead", path_, printable(name),
         motley::name(dtype));
  }
  bool known = std::any_of(tensors_.begin(), tensors_.end(), [&](const Declared& t) { return t.name == name; });
  if (known) fail(ErrorKind::runtime, "safetensors", "{}: tensor '{}' is declared twice", path_, printable(name));
  tensors_.push_back({std::string(name), dtype, shape, static_cast<uint64_t>(row_bytes(dtype, num_elements(shape)))});
}

void SafetensorsWriter::write_header() {
  auto quoted = [](const std::string& s) { return Json(s).dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string header = "{";
  if (!metadata_.empty()) {
    header += "\"__metadata__\":{";
    for (size_t i = 0; i < metadata_.size(); ++i)
      header += fmt::format("{}{}:{}", i ? "," : "", quoted(metadata_[i].first), quoted(metadata_[i].second));
    header += "}";
  }
  uint64_t offset = 0;
  for (const auto& t : tensors_) {
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}", header.size() > 1 ? "," : "", quoted(t.name),
                          safetensors_name(t.dtype), to_string(t.shape), offset, offset + t.size_bytes);
    offset += t.size_bytes;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');  // the data begin at a multiple of 8
  auto size = static_cast<uint64_t>(header.size());
  file_.write(std::as_bytes(std::span(&size, 1)));
  file_.write(header);
  header_written_ = true;
  skip_finished();
}

// Moves on from tensors that have all their bytes (empty ones have them at once).
void SafetensorsWriter::skip_finished() {
  while (current_ < tensors_.size() && current_done_ == tensors_[current_].size_bytes) ++current_, current_done_ = 0;
}

void SafetensorsWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  if (!header_written_) write_header();
  if (bytes.empty()) return;
  check(current_ < tensors_.size() && tensors_[current_].name == name, "tensors are written in the order they were declared");
  check(bytes.size() <= tensors_[current_].size_bytes - current_done_, "a tensor gets the bytes it was declared with");
  file_.write(bytes);
  current_done_ += bytes.size();
  skip_finished();
}

void SafetensorsWriter::commit() {
  if (!header_written_) write_header();
  check(current_ == tensors_.size(), "every declared tensor was written");
  file_.commit();
}

}  // namespace motley
