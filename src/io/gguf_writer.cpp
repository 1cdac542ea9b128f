#include "io/gguf_writer.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/text.h"

namespace motley {
namespace {

constexpr size_t kMaxNameBytes = 64, kMaxDims = 4;

template <class T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

void put_string(std::string& out, std::string_view s) {
  put<uint64_t>(out, s.size());
  out += s;
}

std::string typed(GgufType type) {
  std::string out;
  put(out, static_cast<uint32_t>(type));
  return out;
}

template <class T>
std::string value_of(GgufType type, T v) {
  std::string out = typed(type);
  put(out, v);
  return out;
}

std::string array_of(GgufType element, uint64_t count) {
  std::string out = typed(GgufType::array);
  put(out, static_cast<uint32_t>(element));
  put(out, count);
  return out;
}

}  // namespace

GgufWriter::GgufWriter(const std::string& path, uint32_t alignment) : file_(path), path_(path), alignment_(alignment) {
  check(std::has_single_bit(alignment) && alignment >= 8, "GGUF alignment is a power of two from 8");
  if (alignment != 32) set_u32("general.alignment", alignment);
}

void GgufWriter::set(std::string_view key, std::string value) {
  check(!header_written_, "metadata comes before the first tensor's bytes");
  check(!key.empty() && key.size() <= 65535, "a GGUF key has 1 to 65535 bytes");
  auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (it != entries_.end()) {
    it->value = std::move(value);
  } else {
    entries_.push_back({std::string(key), std::move(value)});
  }
}

void GgufWriter::unset(std::string_view key) {
  std::erase_if(entries_, [&](const Entry& e) { return e.key == key; });
}

void GgufWriter::set_string(std::string_view key, std::string_view value) {
  std::string v = typed(GgufType::string);
  put_string(v, value);
  set(key, std::move(v));
}

void GgufWriter::set_bool(std::string_view key, bool v) { set(key, value_of<uint8_t>(GgufType::boolean, v ? 1 : 0)); }
void GgufWriter::set_u32(std::string_view key, uint32_t v) { set(key, value_of(GgufType::u32, v)); }
void GgufWriter::set_i32(std::string_view key, int32_t v) { set(key, value_of(GgufType::i32, v)); }
void GgufWriter::set_u64(std::string_view key, uint64_t v) { set(key, value_of(GgufType::u64, v)); }
void GgufWriter::set_f32(std::string_view key, float v) { set(key, value_of(GgufType::f32, v)); }

void GgufWriter::set_strings(std::string_view key, std::span<const std::string_view> values) {
  std::string v = array_of(GgufType::string, values.size());
  for (auto s : values) put_string(v, s);
  set(key, std::move(v));
}

void GgufWriter::set_bytes(std::string_view key, std::string_view values) {
  std::string v = array_of(GgufType::u8, values.size());
  v += values;
  set(key, std::move(v));
}

void GgufWriter::set_i32s(std::string_view key, std::span<const int32_t> values) {
  std::string v = array_of(GgufType::i32, values.size());
  v.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  set(key, std::move(v));
}

void GgufWriter::set_f32s(std::string_view key, std::span<const float> values) {
  std::string v = array_of(GgufType::f32, values.size());
  v.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  set(key, std::move(v));
}

void GgufWriter::set_bools(std::string_view key, const std::vector<bool>& values) {
  std::string v = array_of(GgufType::boolean, values.size());
  for (bool b : values) put<uint8_t>(v, b ? 1 : 0);
  set(key, std::move(v));
}

void GgufWriter::copy(const GgufFile& from, const GgufEntry& entry) {
  if (entry.key == "general.alignment") return;
  std::string v = entry.type == GgufType::array ? array_of(entry.element, entry.count) : typed(entry.type);
  v += from.value_bytes(entry);
  set(entry.key, std::move(v));
}

void GgufWriter::declare(std::string_view name, Dtype dtype, const Shape& shape) {
  check(!header_written_, "tensors are declared before the first one's bytes");
  if (name.empty() || name.size() > kMaxNameBytes) {
    fail(ErrorKind::runtime, "gguf", "{}: tensor name '{}' has {} bytes; GGUF allows 1 to {}", path_, printable(name), name.size(), kMaxNameBytes);
  }
  auto type = ggml_type_id(dtype);
  if (!type)
    fail(ErrorKind::runtime, "gguf", "{}: tensor '{}' is {}, a type that GGUF tensors cannot have", path_, printable(name), motley::name(dtype));
  int64_t row = shape.empty() ? 1 : shape.back(), block = info(dtype).block;
  if (shape.size() > kMaxDims || row % block != 0 || std::any_of(shape.begin(), shape.end(), [](int64_t d) { return d < 1; })) {
    fail(ErrorKind::runtime, "gguf", "{}: tensor '{}' of shape {} cannot be stored as {}: at most {} dimensions, none empty, rows a multiple of {}",
         path_, printable(name), to_string(shape), motley::name(dtype), kMaxDims, block);
  }
  for (const auto& t : tensors_) {
    if (t.name == name) fail(ErrorKind::runtime, "gguf", "{}: tensor '{}' is declared twice", path_, printable(name));
  }
  auto size = static_cast<uint64_t>(row_bytes(dtype, num_elements(shape)));
  tensors_.push_back({std::string(name), *type, shape, size, data_bytes_});
  data_bytes_ += (size + alignment_ - 1) / alignment_ * alignment_;
}

void GgufWriter::write_header() {
  std::string h = "GGUF";
  put<uint32_t>(h, 3);
  put<uint64_t>(h, tensors_.size());
  put<uint64_t>(h, entries_.size());
  for (const auto& e : entries_) {
    put_string(h, e.key);
    h += e.value;
  }
  for (const auto& t : tensors_) {
    put_string(h, t.name);
    put(h, static_cast<uint32_t>(t.shape.size()));
    for (size_t i = t.shape.size(); i-- > 0;) put(h, static_cast<uint64_t>(t.shape[i]));  // innermost first
    put(h, t.type);
    put(h, t.offset);
  }
  file_.write(h);
  pad();
  header_written_ = true;
}

void GgufWriter::pad() { file_.write(std::string((alignment_ - file_.written() % alignment_) % alignment_, '\0')); }

void GgufWriter::write(std::string_view name, std::span<const std::byte> bytes) {
  if (!header_written_) write_header();
  check(current_ < tensors_.size() && tensors_[current_].name == name, "tensors are written in the order they were declared");
  const auto& t = tensors_[current_];
  check(bytes.size() <= t.size_bytes - current_done_, "a tensor gets the bytes it was declared with");
  file_.write(bytes);
  current_done_ += bytes.size();
  if (current_done_ < t.size_bytes) return;
  pad();
  ++current_, current_done_ = 0;
}

void GgufWriter::commit() {
  if (!header_written_) write_header();
  check(current_ == tensors_.size(), "every declared tensor was written");
  file_.commit();
}

}  // namespace motley
