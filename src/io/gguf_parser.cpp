// Reading a GGUF header: everything that has to be believed about the file is checked here, once.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/checked.h"
#include "base/error.h"
#include "base/text.h"
#include "io/file_kind.h"
#include "io/gguf.h"

namespace motley {

static_assert(std::endian::native == std::endian::little, "values are read as they lie in the file, which is little-endian");

namespace {

constexpr uint64_t kMaxHeaderBytes = uint64_t{256} << 20;
constexpr uint64_t kMaxEntries = 1 << 16, kMaxTensors = 1 << 18;
constexpr uint64_t kMaxKeyBytes = 65535, kMaxTensorNameBytes = 64, kMaxDims = 4;
constexpr uint64_t kMaxAlignment = 1 << 20;

}  // namespace

// Reads the header front to back. The file is not trusted to have what it announces, so every read first asks for its bytes, and the
// copy of the header grows only after the file's size has been found large enough.
class GgufParser {
 public:
  explicit GgufParser(GgufFile& file) : file_(file) {}

  void parse() {
    where_ = "header";
    magic_and_version();
    auto num_tensors = count("number of tensors", kMaxTensors, 24);
    auto num_entries = count("number of metadata entries", kMaxEntries, 13);
    file_.entries_.reserve(num_entries);
    for (index_ = 0; index_ < num_entries; ++index_) entry();
    name_entries();
    alignment();
    where_ = "tensor";
    file_.tensors_.reserve(num_tensors);
    for (index_ = 0; index_ < num_tensors; ++index_) tensor();
    name_entries();  // the copy may have moved while it grew
    name_tensors();
    spans();
    file_.header_.resize(at_);
  }

 private:
  struct Text {
    uint64_t offset, size;
  };

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    fail(ErrorKind::file, "gguf", "{}: {}", file_.path(), fmt::format(format, std::forward<Args>(args)...));
  }

  // "metadata entry 3", "tensor 17": which part of the header is being read.
  std::string part() const { return std::string_view(where_) == "header" ? where_ : fmt::format("{} {}", where_, index_); }

  uint64_t left() const { return file_.size_bytes() - at_; }

  // Makes the next n bytes available in header_.
  void need(uint64_t n, const char* field) {
    if (n > left()) {
      refuse("{} of {} at byte {} needs {} bytes, but the file ends at byte {}. Is the download complete?", field, part(), at_, n,
             file_.size_bytes());
    }
    uint64_t end = at_ + n;
    if (end > kMaxHeaderBytes)
      refuse("{} of {} at byte {} goes on past {} MiB of metadata, more than any model needs", field, part(), at_, kMaxHeaderBytes >> 20);
    if (end <= file_.header_.size()) return;
    uint64_t have = file_.header_.size(), grown = std::min({std::max({end, 2 * have, uint64_t{1} << 16}), file_.size_bytes(), kMaxHeaderBytes});
    file_.header_.resize(grown);
    file_.source_.copy(have, {reinterpret_cast<std::byte*>(file_.header_.data()) + have, grown - have});
  }

  template <class T>
  T take(const char* field) {
    need(sizeof(T), field);
    T v;
    std::memcpy(&v, file_.header_.data() + at_, sizeof v);
    at_ += sizeof v;
    return v;
  }

  Text text(const char* field, uint64_t least, uint64_t most) {
    auto offset = at_;
    auto size = take<uint64_t>(field);
    if (size < least || size > most) {
      refuse("{} of {} at byte {} is {} bytes long, it should be {} to {}", field, part(), offset, size, least, most);
    }
    need(size, field);
    at_ += size;
    return {at_ - size, size};
  }

  std::string_view view(Text t) const { return {file_.header_.data() + t.offset, t.size}; }
  std::string shown(Text t) const { return printable(view(t)); }

  void magic_and_version() {
    if (left() < 4 || take<uint32_t>("magic") != 0x46554747) {
      auto kind = file_kind(file_.source_);
      refuse("{}", kind == FileKind::other ? "is not a GGUF file: it does not begin with the letters GGUF" : describe(kind));
    }
    file_.version_ = take<uint32_t>("version");
    auto v = file_.version_;
    if (v == 2 || v == 3) return;
    if (v != 0 && (v & 0xFFFF) == 0)
      refuse(
          "is a big-endian GGUF file (version field {:#010x} at byte 4); only little-endian ones are read. Convert it again on a little-endian "
          "machine",
          v);
    if (v == 1) refuse("has GGUF version 1 (byte 4), which was replaced in 2023; versions 2 and 3 are read. Convert the model again");
    refuse("has GGUF version {} (byte 4); versions 2 and 3 are read", v);
  }

  uint64_t count(const char* what, uint64_t most, uint64_t least_bytes_each) {
    auto offset = at_;
    auto n = take<uint64_t>(what);
    if (n > most) refuse("{} at byte {} is {}, more than the {} allowed", what, offset, n, most);
    if (n > left() / least_bytes_each) refuse("{} at byte {} is {}, but only {} bytes follow. Is the download complete?", what, offset, n, left());
    return n;
  }

  GgufType value_type(const char* field) {
    auto offset = at_;
    auto id = take<uint32_t>(field);
    if (id > static_cast<uint32_t>(GgufType::f64))
      refuse("{} of metadata '{}' at byte {} is {}, it should be 0 to 12", field, shown(keys_.back()), offset, id);
    return static_cast<GgufType>(id);
  }

  void entry() {
    where_ = "metadata entry";
    auto key_offset = at_;
    keys_.push_back(text("key", 1, kMaxKeyBytes));
    if (view(keys_.back()).find('\0') != std::string_view::npos) refuse("key of {} at byte {} contains a zero byte", part(), key_offset);
    GgufEntry e{};
    e.type = e.element = value_type("value type"), e.count = 1;
    if (e.type == GgufType::array) {
      auto offset = at_;
      e.element = value_type("element type");
      if (e.element == GgufType::array)
        refuse("metadata '{}' at byte {} is an array of arrays, which no model uses and this reader refuses", shown(keys_.back()), offset);
      e.count = array_count(e.element);
    }
    e.offset = at_;
    if (e.element == GgufType::string) {
      for (uint64_t i = 0; i < e.count; ++i) text("string", 0, kMaxHeaderBytes);
    } else {
      uint64_t size = e.count * fixed_size(e.element);  // the array's bytes were found in the file, so this does not wrap
      need(size, "value");
      if (e.element == GgufType::boolean) check_bools(size);
      at_ += size;
    }
    e.size_bytes = at_ - e.offset;
    file_.entries_.push_back(e);
  }

  uint64_t array_count(GgufType element) {
    auto offset = at_;
    auto n = take<uint64_t>("array length");
    uint64_t each = element == GgufType::string ? 8 : fixed_size(element);
    if (n > left() / each) {
      refuse("array '{}' at byte {} announces {} elements of at least {} bytes, but only {} bytes follow. Is the download complete?",
             shown(keys_.back()), offset, n, each, left());
    }
    return n;
  }

  void check_bools(uint64_t size) const {
    for (uint64_t i = 0; i < size; ++i) {
      auto b = static_cast<unsigned char>(file_.header_[at_ + i]);
      if (b > 1) refuse("metadata '{}' at byte {} is a bool of value {}, it should be 0 or 1", shown(keys_.back()), at_ + i, b);
    }
  }

  void name_entries() {
    auto& entries = file_.entries_;
    for (size_t i = 0; i < entries.size(); ++i) entries[i].key = view(keys_[i]);
    if (!file_.entries_by_key_.empty()) return;
    auto twin = sort_by_name(entries, file_.entries_by_key_, &GgufEntry::key);
    if (twin) refuse("metadata key '{}' of entry {} appears twice", printable(entries[*twin].key), *twin);
  }

  void name_tensors() {
    auto& tensors = file_.tensors_;
    for (size_t i = 0; i < tensors.size(); ++i) tensors[i].name = view(names_[i]);
    auto twin = sort_by_name(tensors, file_.tensors_by_name_, &GgufTensor::name);
    if (twin) refuse("tensor name '{}' of tensor {} appears twice", printable(tensors[*twin].name), *twin);
  }

  // Fills order with the indices by name; gives the index of a later one of two equal names. (Sorting rather than hashing: names chosen to
  // collide cannot make this slow.)
  template <class Item>
  static std::optional<uint32_t> sort_by_name(const std::vector<Item>& items, std::vector<uint32_t>& order, std::string_view Item::*key) {
    order.resize(items.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      auto less = (items[a].*key) <=> (items[b].*key);
      return less != 0 ? less < 0 : a < b;
    });
    for (size_t i = 1; i < order.size(); ++i)
      if (items[order[i]].*key == items[order[i - 1]].*key) return order[i];
    return std::nullopt;
  }

  void alignment() {
    const GgufEntry* e = file_.find("general.alignment");
    if (!e) return;
    if (e->type != GgufType::u32) refuse("metadata 'general.alignment' at byte {} should be uint32, found {}", e->offset, name(e->type));
    auto a = static_cast<uint64_t>(*file_.find_int(e->key));
    if (!std::has_single_bit(a) || a < 8 || a > kMaxAlignment)
      refuse("metadata 'general.alignment' at byte {} is {}, it should be a power of two from 8 to {}", e->offset, a, kMaxAlignment);
    file_.alignment_ = a;
  }

  void tensor() {
    auto name_offset = at_;
    names_.push_back(text("name", 1, kMaxTensorNameBytes));
    auto name = names_.back();
    if (view(name).find('\0') != std::string_view::npos) refuse("name of tensor {} at byte {} contains a zero byte", index_, name_offset);
    GgufTensor t{};
    auto dims_offset = at_;
    auto num_dims = take<uint32_t>("number of dimensions");
    if (num_dims > kMaxDims) refuse("tensor '{}' has {} dimensions (byte {}), at most {} are possible", shown(name), num_dims, dims_offset, kMaxDims);
    int64_t elements = 1;
    t.shape.resize(num_dims);
    for (uint32_t i = 0; i < num_dims; ++i) {
      auto offset = at_;
      auto d = take<uint64_t>("dimension");
      if (d == 0 || d > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        refuse("dimension {} of tensor '{}' at byte {} is {}, it should be at least 1 and below 2^63", i, shown(name), offset, d);
      auto product = checked_mul(elements, static_cast<int64_t>(d));
      if (!product) refuse("tensor '{}' has more than 2^63 elements (dimension {} at byte {} is {})", shown(name), i, offset, d);
      elements = *product;
      t.shape[num_dims - 1 - i] = static_cast<int64_t>(d);  // stored innermost first
    }
    auto type_offset = at_;
    auto id = take<uint32_t>("type");
    t.type = find_ggml_type(id);
    if (!t.type) refuse("tensor '{}' has type {} (byte {}), which no GGUF version known here defines", shown(name), id, type_offset);
    t.size_bytes = tensor_bytes(t, elements, type_offset);
    offset_fields_.push_back(at_);
    t.offset = take<uint64_t>("offset");
    if (t.offset % file_.alignment_ != 0)
      refuse("tensor '{}' begins at offset {} (byte {}), not a multiple of the file's alignment {}", shown(name), t.offset, offset_fields_.back(),
             file_.alignment_);
    file_.tensors_.push_back(std::move(t));
  }

  uint64_t tensor_bytes(const GgufTensor& t, int64_t elements, uint64_t type_offset) const {
    if (t.type->block == 0) return 0;
    int64_t row = t.shape.empty() ? 1 : t.shape.back();
    if (row % t.type->block != 0)
      refuse("tensor '{}' has rows of {} elements, not a multiple of the {} that type {} (byte {}) groups", shown(names_.back()), row, t.type->block,
             t.type->name, type_offset);
    auto bytes = checked_mul(elements / t.type->block, t.type->block_bytes);
    if (!bytes) refuse("tensor '{}' of type {} (byte {}) would take more than 2^63 bytes", shown(names_.back()), t.type->name, type_offset);
    return static_cast<uint64_t>(*bytes);
  }

  // Turns offsets into positions in the file, and checks that every tensor lies inside it and on no other tensor.
  void spans() {
    auto& tensors = file_.tensors_;
    if (tensors.empty()) return;
    uint64_t data = (at_ + file_.alignment_ - 1) / file_.alignment_ * file_.alignment_;
    for (size_t i = 0; i < tensors.size(); ++i) {
      auto& t = tensors[i];
      auto begin = checked_add(data, t.offset);
      auto end = begin ? checked_add(*begin, t.size_bytes) : std::nullopt;
      if (!end || *end > file_.size_bytes()) {
        refuse(
            "tensor '{}' takes {} bytes from offset {} (byte {}) of the data that begin at byte {}, but the file ends at byte {}. Is the download "
            "complete?",
            printable(t.name), t.size_bytes, t.offset, offset_fields_[i], data, file_.size_bytes());
      }
      t.offset = *begin;
    }
    std::vector<uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return tensors[a].offset < tensors[b].offset; });
    for (size_t i = 1; i < order.size(); ++i) {
      const auto &before = tensors[order[i - 1]], &t = tensors[order[i]];
      if (t.offset < before.offset + before.size_bytes || t.offset == before.offset) {
        refuse("tensor '{}' begins at byte {} (offset field at byte {}), inside tensor '{}' of bytes {} to {}", printable(t.name), t.offset,
               offset_fields_[order[i]], printable(before.name), before.offset, before.offset + before.size_bytes);
      }
    }
  }

  GgufFile& file_;
  uint64_t at_ = 0, index_ = 0;
  const char* where_ = "";
  std::vector<Text> keys_, names_;
  std::vector<uint64_t> offset_fields_;
};

GgufFile::GgufFile(ByteSource source) : source_(std::move(source)) { GgufParser(*this).parse(); }
GgufFile GgufFile::open(const std::string& path) { return GgufFile(ByteSource::open(path)); }
GgufFile GgufFile::from_bytes(std::vector<std::byte> bytes, std::string what) {
  return GgufFile(ByteSource::from_bytes(std::move(bytes), std::move(what)));
}

}  // namespace motley
