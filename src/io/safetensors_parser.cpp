// Reading a safetensors header: everything that has to be believed about the file is checked here, once.
#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/checked.h"
#include "base/text.h"
#include "io/file_kind.h"
#include "io/json_scanner.h"
#include "io/safetensors.h"

namespace motley {

static_assert(std::endian::native == std::endian::little, "values are read as they lie in the file, which is little-endian");

namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own bound
constexpr size_t kMaxTensors = 1 << 18, kMaxNameBytes = 1024, kMaxDims = 32;
constexpr size_t kMaxMetadataKeyBytes = 64 << 10, kMaxMetadataBytes = 16 << 20;

uint64_t header_bytes(const ByteSource& source) {
  auto refuse = [&](const std::string& why) { fail(ErrorKind::file, "safetensors", "{}: {}", source.path(), why); };
  if (source.size() < 8) refuse(fmt::format("has {} bytes, a safetensors file has at least 8", source.size()));
  uint64_t n = 0;
  source.copy(0, std::as_writable_bytes(std::span(&n, 1)));
  if (n > kMaxHeaderBytes) {
    auto kind = file_kind(source);
    if (kind != FileKind::other && kind != FileKind::onnx && kind != FileKind::llama2c) refuse(describe(kind));  // those two are guesses
    refuse(fmt::format("the header's length at byte 0 is {}, more than the {} the format allows. Is this a safetensors file?", n, kMaxHeaderBytes));
  }
  if (n > source.size() - 8) {
    refuse(fmt::format("the header's length at byte 0 is {}, but the file ends at byte {}. Is the download complete?", n, source.size()));
  }
  return n;
}

}  // namespace

class SafetensorsParser {
 public:
  explicit SafetensorsParser(SafetensorsFile& file)
      : file_(file), header_bytes_(header_bytes(file.source_)), in_(file.source_, 8, header_bytes_, "safetensors") {}

  void parse() {
    in_.object(
        [&](const std::string& key) {
          if (key == "__metadata__") {
            metadata();
          } else {
            tensor(key);
          }
        },
        kMaxNameBytes);
    in_.end();
    order_names();
    spans();
  }

 private:
  void metadata() {
    if (has_metadata_) in_.refuse("the key '__metadata__' appears twice, again before byte {}", in_.position());
    has_metadata_ = true;
    size_t kept = 0;
    in_.object(
        [&](const std::string& key) {
          auto before = in_.position();
          std::string value = in_.text(kMaxMetadataBytes);
          kept += key.size() + value.size();
          if (kept > kMaxMetadataBytes) return;
          for (const auto& [known, unused] : file_.metadata_)
            if (known == key) in_.refuse("the metadata key '{}' appears twice, again before byte {}", printable(key), before);
          if (file_.metadata_.size() == kMaxMetadataEntries)
            in_.refuse("there are more than {} metadata keys at byte {}", kMaxMetadataEntries, before);
          file_.metadata_.emplace_back(key, std::move(value));
        },
        kMaxMetadataKeyBytes);
  }

  void tensor(const std::string& name) {
    auto& tensors = file_.tensors_;
    if (tensors.size() == kMaxTensors) in_.refuse("there are more than {} tensors at byte {}", kMaxTensors, in_.position());
    places_.push_back(in_.position());
    SafetensorsTensor t{name, nullptr, {}, 0, 0};
    enum { kDtype = 1, kShape = 2, kOffsets = 4 };
    int seen = 0;
    auto once = [&](int field, const std::string& key) {
      if (seen & field) in_.refuse("tensor '{}' has '{}' twice, again before byte {}", printable(name), key, in_.position());
      seen |= field;
    };
    std::vector<uint64_t> dims, offsets;
    in_.object(
        [&](const std::string& key) {
          auto at = in_.position();
          if (key == "dtype") {
            once(kDtype, key);
            std::string dtype = in_.text(32);
            t.type = find_safetensors_dtype(dtype);
            if (!t.type) in_.refuse("tensor '{}' has dtype '{}' (byte {}), which the format does not define", printable(name), printable(dtype), at);
          } else if (key == "shape") {
            once(kShape, key);
            dims = in_.numbers(kMaxDims);
          } else if (key == "data_offsets") {
            once(kOffsets, key);
            offsets = in_.numbers(2);
            if (offsets.size() != 2 || offsets[0] > offsets[1]) {
              in_.refuse("the data_offsets of tensor '{}' at byte {} should be a begin and a later or equal end", printable(name), at);
            }
          } else {
            in_.refuse("tensor '{}' has a key '{}' before byte {}; only dtype, shape and data_offsets are known", printable(name), printable(key),
                       at);
          }
        },
        64);
    if (seen != (kDtype | kShape | kOffsets)) {
      const char* missing = !(seen & kDtype) ? "dtype" : !(seen & kShape) ? "shape" : "data_offsets";
      in_.refuse("tensor '{}' at byte {} has no '{}'", printable(name), places_.back(), missing);
    }
    t.offset = offsets[0], t.size_bytes = offsets[1] - offsets[0];
    t.shape.assign(dims.begin(), dims.end());
    check_size(t);
    tensors.push_back(std::move(t));
  }

  void check_size(const SafetensorsTensor& t) const {
    // The product without its zeros must fit as well, so that nobody who multiplies a shape later can overflow.
    std::optional<int64_t> bits = t.type->bits;
    bool empty = false;
    for (int64_t d : t.shape) {
      if (d == 0) empty = true;
      bits = bits ? checked_mul(*bits, std::max<int64_t>(d, 1)) : bits;
    }
    if (!bits) in_.refuse("tensor '{}' at byte {} of shape {} takes more than 2^63 bits", printable(t.name), places_.back(), to_string(t.shape));
    uint64_t expected_bits = empty ? 0 : static_cast<uint64_t>(*bits);
    if (expected_bits % 8 != 0 || expected_bits / 8 != t.size_bytes) {
      in_.refuse("tensor '{}' at byte {} is {} of shape {}, {} bytes, but its data_offsets span {}", printable(t.name), places_.back(), t.type->name,
                 to_string(t.shape), expected_bits / 8, t.size_bytes);
    }
  }

  void order_names() {
    const auto& tensors = file_.tensors_;
    auto& order = file_.by_name_;
    order.resize(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      int c = tensors[a].name.compare(tensors[b].name);
      return c != 0 ? c < 0 : a < b;
    });
    for (size_t i = 1; i < order.size(); ++i) {
      if (tensors[order[i]].name == tensors[order[i - 1]].name) {
        in_.refuse("tensor '{}' appears twice, at bytes {} and {}", printable(tensors[order[i]].name), places_[order[i - 1]], places_[order[i]]);
      }
    }
  }

  // The tensors, by position, must fill what follows the header exactly.
  void spans() {
    auto& tensors = file_.tensors_;
    uint64_t data = 8 + header_bytes_, size = file_.size_bytes() - data;
    std::vector<uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return std::pair(tensors[a].offset, tensors[a].size_bytes) < std::pair(tensors[b].offset, tensors[b].size_bytes);
    });
    uint64_t end = 0;
    for (uint32_t i : order) {
      auto& t = tensors[i];
      auto complain = [&](std::string_view what) {
        in_.refuse("tensor '{}' (byte {}) has data_offsets {} to {}, but {} at offset {}", printable(t.name), places_[i], t.offset,
                   t.offset + t.size_bytes, what, end);
      };
      if (t.offset + t.size_bytes > size) {
        in_.refuse("tensor '{}' (byte {}) has data_offsets {} to {}, but only {} bytes of data follow the header. Is the download complete?",
                   printable(t.name), places_[i], t.offset, t.offset + t.size_bytes, size);
      }
      if (t.offset < end) complain("the tensor before it ends");
      if (t.offset > end) complain("there is a hole: the tensor before it ends");
      end = t.offset + t.size_bytes;
      t.offset += data;
    }
    if (end != size) in_.refuse("the tensors end at byte {}, but the file has {} bytes; {} belong to nothing", data + end, data + size, size - end);
  }

  static constexpr size_t kMaxMetadataEntries = 4096;  // few enough to look for duplicates one by one

  SafetensorsFile& file_;
  uint64_t header_bytes_;
  JsonScanner in_;
  bool has_metadata_ = false;
  std::vector<uint64_t> places_;  // of each tensor's description in the file
};

SafetensorsFile::SafetensorsFile(ByteSource source) : source_(std::move(source)) { SafetensorsParser(*this).parse(); }
SafetensorsFile SafetensorsFile::open(const std::string& path) { return SafetensorsFile(ByteSource::open(path)); }
SafetensorsFile SafetensorsFile::from_bytes(std::vector<std::byte> bytes, std::string what) {
  return SafetensorsFile(ByteSource::from_bytes(std::move(bytes), std::move(what)));
}

}  // namespace motley
