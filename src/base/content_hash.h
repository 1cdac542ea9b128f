// A 64-bit hash of bytes, the same in every run and on every machine: for telling whether data are what they were. Not for keys that a
// stranger chooses (io/tokenizer/hash.h is seeded for those), and no defence against somebody who wants two contents to agree.
//
//   ContentHash hash;
//   hash.add(bytes).add_number(threads_do_not_matter);
//   uint64_t key = hash.value();
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace motley {

// The high half of a 128-bit product folded into the low one: every input bit reaches every output bit.
inline uint64_t fold_multiply(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

class ContentHash {
 public:
  // Where one piece of bytes ends and the next begins makes no difference; add_text() is for where it should.
  ContentHash& add(std::string_view bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
      if (held_ == 0 && bytes.size() >= 8) {
        uint64_t word;
        std::memcpy(&word, bytes.data(), 8);
        mix(word);
        bytes.remove_prefix(8);
        continue;
      }
      pending_ |= uint64_t{static_cast<unsigned char>(bytes[0])} << (8 * held_);
      bytes.remove_prefix(1);
      if (++held_ == 8) {
        mix(pending_);
        pending_ = 0;
        held_ = 0;
      }
    }
    return *this;
  }
  ContentHash& add_number(uint64_t v) { return add({reinterpret_cast<const char*>(&v), sizeof v}); }
  ContentHash& add_text(std::string_view s) { return add_number(s.size()).add(s); }

  uint64_t value() const { return fold_multiply(hash_ ^ pending_ ^ 0x2545F4914F6CDD1Dull, 0x9E3779B97F4A7C15ull ^ size_); }

 private:
  void mix(uint64_t word) { hash_ = fold_multiply(hash_ ^ word, 0xD6E8FEB86659FD93ull) + 0x9E3779B97F4A7C15ull; }
  uint64_t hash_ = 0x243F6A8885A308D3ull, pending_ = 0, size_ = 0;
  unsigned held_ = 0;
};

}  // namespace motley
