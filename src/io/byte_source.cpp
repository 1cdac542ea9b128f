#include "io/byte_source.h"

#include <cstring>

namespace motley {

ByteSource ByteSource::open(const std::string& path) {
  ByteSource source;
  source.path_ = path;
  source.mapping_ = MappedFile::open(path);
  source.bytes_ = source.mapping_->bytes();
  return source;
}

ByteSource ByteSource::from_bytes(std::vector<std::byte> bytes, std::string what) {
  ByteSource source;
  source.path_ = std::move(what);
  source.memory_ = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  source.bytes_ = *source.memory_;
  return source;
}

void ByteSource::copy(uint64_t offset, std::span<std::byte> to) const {
  if (mapping_) {
    mapping_->copy(offset, to);
  } else if (!to.empty()) {
    std::memcpy(to.data(), bytes_.data() + offset, to.size());
  }
}

void ByteSource::drop(uint64_t offset, uint64_t size) const {
  if (mapping_) mapping_->drop(offset, size);
}

Tensor ByteSource::tensor(Dtype dtype, const Shape& shape, uint64_t offset) const {
  const std::byte* at = bytes_.data() + offset;
  // Blocks of quantised types hold nothing wider than 16 bits; their readers ask for no more.
  uintptr_t align = is_quantised(dtype) ? 2 : static_cast<uintptr_t>(info(dtype).block_bytes);
  if (reinterpret_cast<uintptr_t>(at) % align == 0) {
    if (mapping_) return Tensor::borrow(dtype, shape, at, mapping_);
    return Tensor::borrow(dtype, shape, at, memory_);
  }
  Tensor t = Tensor::zeros(dtype, shape);
  copy(offset, {t.mutable_bytes(), t.size_bytes()});
  return t;
}

}  // namespace motley
