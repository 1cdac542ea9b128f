// Reading protocol buffers' wire format from an untrusted file: field after field, each checked against the bytes that remain.
//
//   ProtoReader reader(bytes, name);
//   while (auto f = reader.next()) if (f->number == 1) piece = f->bytes;
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace motley::tok {

struct ProtoField {
  uint32_t number;
  uint32_t wire_type;      // 0 varint, 1 fixed64, 2 bytes, 5 fixed32
  uint64_t value = 0;      // of a number
  std::string_view bytes;  // of a text or message

  int64_t as_int() const { return static_cast<int64_t>(value); }
  float as_float() const { return std::bit_cast<float>(static_cast<uint32_t>(value)); }
};

class ProtoReader {
 public:
  ProtoReader(std::string_view bytes, std::string_view what, size_t base = 0) : bytes_(bytes), what_(what), base_(base) {}

  std::optional<ProtoField> next() {
    if (at_ == bytes_.size()) return std::nullopt;
    uint64_t key = varint();
    ProtoField f{static_cast<uint32_t>(key >> 3), static_cast<uint32_t>(key & 7), 0, {}};
    if (key >> 3 == 0 || key >> 3 > 0x1FFFFFFF) bad("a field number out of range");
    switch (f.wire_type) {
      case 0:
        f.value = varint();
        break;
      case 1:
        f.value = fixed(8);
        break;
      case 5:
        f.value = fixed(4);
        break;
      case 2: {
        uint64_t size = varint();
        if (size > bytes_.size() - at_) bad("a field that is longer than what remains");
        f.bytes = bytes_.substr(at_, size);
        at_ += size;
        break;
      }
      default:
        bad("a field of a kind that does not exist");
    }
    return f;
  }

  // Where the bytes of a field begin in the file.
  size_t offset(const ProtoField& f) const { return base_ + static_cast<size_t>(f.bytes.data() - bytes_.data()); }

 private:
  [[noreturn]] void bad(const char* why) const {
    fail(ErrorKind::file, "tokenizer", "{} is not a SentencePiece model: {} at byte {}", what_, why, base_ + at_);
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ == bytes_.size()) bad("the end inside a number");
      auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    bad("a number of more than 64 bits");
  }
  uint64_t fixed(size_t size) {
    if (bytes_.size() - at_ < size) bad("the end inside a number");
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[at_ + i])) << (8 * i);
    at_ += size;
    return value;
  }
  std::string_view bytes_, what_;
  size_t base_, at_ = 0;
};

}  // namespace motley::tok
