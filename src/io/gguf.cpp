#include "io/gguf.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"

namespace motley {

namespace {

template <class T>
T read_as(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

// A number at p as T; nothing when the stored type is no number or does not fit.
template <class T>
std::optional<T> number_as(GgufType type, const char* p) {
  auto convert = [](auto v) -> std::optional<T> {
    if constexpr (std::is_integral_v<T>) {
      if constexpr (!std::is_integral_v<decltype(v)>) {
        return std::nullopt;
      } else {
        return std::in_range<T>(v) ? std::optional<T>(static_cast<T>(v)) : std::nullopt;
      }
    } else {
      return static_cast<T>(v);
    }
  };
  switch (type) {
    case GgufType::u8:
      return convert(read_as<uint8_t>(p));
    case GgufType::i8:
      return convert(read_as<int8_t>(p));
    case GgufType::u16:
      return convert(read_as<uint16_t>(p));
    case GgufType::i16:
      return convert(read_as<int16_t>(p));
    case GgufType::u32:
      return convert(read_as<uint32_t>(p));
    case GgufType::i32:
      return convert(read_as<int32_t>(p));
    case GgufType::u64:
      return convert(read_as<uint64_t>(p));
    case GgufType::i64:
      return convert(read_as<int64_t>(p));
    case GgufType::f32:
      return convert(read_as<float>(p));
    case GgufType::f64:
      return convert(read_as<double>(p));
    default:
      return std::nullopt;
  }
}

}  // namespace

uint64_t fixed_size(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    case GgufType::u64:
    case GgufType::i64:
    case GgufType::f64:
      return 8;
    case GgufType::string:
    case GgufType::array:
      return 0;
  }
  return 0;
}

const char* name(GgufType type) {
  constexpr const char* kNames[] = {"uint8", "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
                                    "bool",  "string", "array",  "uint64", "int64",  "float64"};
  return kNames[static_cast<size_t>(type)];
}

const GgufEntry* GgufFile::find(std::string_view key) const {
  auto it =
      std::lower_bound(entries_by_key_.begin(), entries_by_key_.end(), key, [&](uint32_t i, std::string_view k) { return entries_[i].key < k; });
  return it != entries_by_key_.end() && entries_[*it].key == key ? &entries_[*it] : nullptr;
}

const GgufTensor* GgufFile::find_tensor(std::string_view wanted) const {
  auto it = std::lower_bound(tensors_by_name_.begin(), tensors_by_name_.end(), wanted,
                             [&](uint32_t i, std::string_view k) { return tensors_[i].name < k; });
  return it != tensors_by_name_.end() && tensors_[*it].name == wanted ? &tensors_[*it] : nullptr;
}

std::string_view GgufFile::value_bytes(const GgufEntry& entry) const { return {header_.data() + entry.offset, entry.size_bytes}; }

namespace {

[[noreturn]] void wrong_type(const GgufFile& file, const GgufEntry& e, const char* expected) {
  std::string found = e.type == GgufType::array ? fmt::format("an array of {} {}", e.count, name(e.element)) : name(e.type);
  fail(ErrorKind::file, "gguf", "{}: metadata '{}' (byte {}) should be {}, found {}", file.path(), printable(e.key), e.offset, expected, found);
}

bool is_integer(GgufType t) { return t != GgufType::f32 && t != GgufType::f64 && t != GgufType::boolean && fixed_size(t) != 0; }

}  // namespace

std::optional<std::string_view> GgufFile::find_string(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  if (e->type != GgufType::string) wrong_type(*this, *e, "a string");
  return value_bytes(*e).substr(8);
}

std::optional<int64_t> GgufFile::find_int(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  auto v = number_as<int64_t>(e->type, header_.data() + e->offset);
  if (!v) wrong_type(*this, *e, is_integer(e->type) ? "an integer below 2^63" : "an integer");
  return v;
}

std::optional<double> GgufFile::find_double(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  auto v = number_as<double>(e->type, header_.data() + e->offset);
  if (!v) wrong_type(*this, *e, "a number");
  return v;
}

std::optional<bool> GgufFile::find_bool(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  if (e->type != GgufType::boolean) wrong_type(*this, *e, "a bool");
  return header_[e->offset] != 0;
}

std::optional<std::vector<std::string_view>> GgufFile::find_strings(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  if (e->type != GgufType::array || e->element != GgufType::string) wrong_type(*this, *e, "an array of strings");
  std::vector<std::string_view> out(e->count);
  const char* p = header_.data() + e->offset;  // every length was checked when the file was opened
  for (auto& s : out) {
    auto size = read_as<uint64_t>(p);
    s = {p + 8, size};
    p += 8 + size;
  }
  return out;
}

std::optional<std::vector<int64_t>> GgufFile::find_ints(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  if (e->type != GgufType::array || !is_integer(e->element)) wrong_type(*this, *e, "an array of integers");
  std::vector<int64_t> out(e->count);
  for (size_t i = 0; i < out.size(); ++i) {
    auto v = number_as<int64_t>(e->element, header_.data() + e->offset + i * fixed_size(e->element));
    if (!v) wrong_type(*this, *e, "an array of integers below 2^63");
    out[i] = *v;
  }
  return out;
}

std::optional<std::vector<float>> GgufFile::find_floats(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  if (e->type != GgufType::array || (e->element != GgufType::f32 && e->element != GgufType::f64)) wrong_type(*this, *e, "an array of floats");
  std::vector<float> out(e->count);
  for (size_t i = 0; i < out.size(); ++i) out[i] = *number_as<float>(e->element, header_.data() + e->offset + i * fixed_size(e->element));
  return out;
}

std::optional<std::vector<bool>> GgufFile::find_bools(std::string_view key) const {
  const GgufEntry* e = find(key);
  if (!e) return std::nullopt;
  if (e->type != GgufType::array || e->element != GgufType::boolean) wrong_type(*this, *e, "an array of bools");
  std::vector<bool> out(e->count);
  for (size_t i = 0; i < out.size(); ++i) out[i] = header_[e->offset + i] != 0;
  return out;
}

const GgufEntry& GgufFile::require(std::string_view key) const {
  if (const GgufEntry* e = find(key)) return *e;
  fail(ErrorKind::file, "gguf", "{}: metadata '{}' is missing", path(), key);
}

std::string_view GgufFile::string(std::string_view key) const { return *find_string(require(key).key); }
int64_t GgufFile::integer(std::string_view key) const { return *find_int(require(key).key); }
double GgufFile::number(std::string_view key) const { return *find_double(require(key).key); }
std::vector<std::string_view> GgufFile::strings(std::string_view key) const { return *find_strings(require(key).key); }

Tensor GgufFile::load(std::string_view wanted) const {
  const GgufTensor* t = find_tensor(wanted);
  if (!t) fail(ErrorKind::file, "gguf", "{}: there is no tensor '{}'", path(), printable(wanted));
  if (!t->dtype()) {
    fail(ErrorKind::file, "gguf",
         "{}: tensor '{}' has type {}, which cannot be computed with here; the nearest that can is {}. Quantise the model again to that type", path(),
         printable(t->name), t->type->name, t->type->nearest);
  }
  return source_.tensor(*t->dtype(), t->shape, t->offset);
}

void GgufFile::read(const GgufTensor& tensor, std::span<std::byte> to) const {
  check(to.size() == tensor.size_bytes, "read() is given room for the whole tensor");
  source_.copy(tensor.offset, to);
}

void GgufFile::read(const GgufTensor& tensor, uint64_t from_byte, std::span<std::byte> to) const {
  check(from_byte <= tensor.size_bytes && to.size() <= tensor.size_bytes - from_byte, "a part of a tensor lies within it");
  source_.copy(tensor.offset + from_byte, to);
}

void GgufFile::drop(const GgufTensor& tensor) const { source_.drop(tensor.offset, tensor.size_bytes); }

}  // namespace motley
