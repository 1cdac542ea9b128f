// Words met before and their ids: texts repeat their words, and looking one up costs less than splitting it again.
//
// A table of fixed size in which a word has one place; a new word takes the place of an old one. Only words and id lists that fit a
// cache line are kept. It belongs to one thread at a time.
//
//   if (auto ids = cache.find(word, key)) append(*ids); else { ...; cache.store(key, computed); }
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "io/tokenizer/hash.h"

namespace motley::tok {

class WordCache {
 public:
  static constexpr size_t kMaxWordBytes = 24, kMaxIds = 9;

  struct Key {
    uint64_t words[3];
    uint8_t size_bytes;
    size_t slot;
  };

  WordCache() : slots_(kSlots) {}

  // The key of a word of at most kMaxWordBytes. readable: bytes that may be read from word.data() on, at least word.size().
  static Key key(std::string_view word, size_t readable) {
    Key k{{0, 0, 0}, static_cast<uint8_t>(word.size()), 0};
    if (readable >= kMaxWordBytes) {
      std::memcpy(k.words, word.data(), kMaxWordBytes);
      for (size_t i = 0; i < 3; ++i) {
        size_t used = word.size() > i * 8 ? word.size() - i * 8 : 0;
        k.words[i] &= used >= 8 ? ~uint64_t{0} : keep_first_bytes(used);
      }
    } else {
      std::memcpy(k.words, word.data(), word.size());
    }
    uint64_t h =
        fold_multiply(k.words[0] ^ k.size_bytes, 0x9E3779B97F4A7C15ull) ^ fold_multiply(k.words[1] ^ (k.words[2] << 1), 0xD6E8FEB86659FD93ull);
    k.slot = (h ^ (h >> 32)) & (kSlots - 1);
    return k;
  }

  std::optional<std::span<const int32_t>> find(const Key& k) const {
    const Slot& s = slots_[k.slot];
    if (s.words[0] != k.words[0] || s.words[1] != k.words[1] || s.words[2] != k.words[2] || s.size_bytes != k.size_bytes) return std::nullopt;
    return std::span<const int32_t>(s.ids, s.num_ids);
  }

  void store(const Key& k, std::span<const int32_t> ids) {
    if (ids.size() > kMaxIds) return;
    Slot& s = slots_[k.slot];
    std::memcpy(s.words, k.words, sizeof(s.words));
    s.size_bytes = k.size_bytes;
    s.num_ids = static_cast<uint8_t>(ids.size());
    if (!ids.empty()) std::memcpy(s.ids, ids.data(), ids.size_bytes());
  }

 private:
  static constexpr size_t kSlots = 8192;  // half a mebibyte: stays in the second-level cache
  struct alignas(64) Slot {
    uint64_t words[3] = {0, 0, 0};
    int32_t ids[kMaxIds] = {};
    uint8_t size_bytes = 0;  // no word is empty, so a new slot matches none
    uint8_t num_ids = 0;
  };
  static uint64_t keep_first_bytes(size_t n) {
    uint64_t ones = ~uint64_t{0};
    if constexpr (std::endian::native == std::endian::little) return n == 0 ? 0 : ones >> (64 - 8 * n);
    return n == 0 ? 0 : ones << (64 - 8 * n);
  }
  std::vector<Slot> slots_;
};

}  // namespace motley::tok
