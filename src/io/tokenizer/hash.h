// Hashing short strings and integers, seeded once per process so that a crafted vocabulary cannot line its words up in one bucket.
//
//   uint64_t h = tok::hash_bytes(word);
#pragma once
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

#include "base/content_hash.h"

namespace motley::tok {

inline uint64_t hash_seed() {
  static const uint64_t seed = [] {
    std::random_device device;
    return uint64_t{device()} << 32 | device() | 1;
  }();
  return seed;
}

inline uint64_t hash_integer(uint64_t v) { return fold_multiply(v ^ hash_seed(), 0x9E3779B97F4A7C15ull); }

inline uint64_t hash_bytes(std::string_view s) {
  const uint64_t seed = hash_seed();
  uint64_t h = seed ^ s.size();
  const char* p = s.data();
  size_t left = s.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    h = fold_multiply(h ^ word, 0xD6E8FEB86659FD93ull ^ seed);
  }
  uint64_t tail = 0;
  if (left > 0) std::memcpy(&tail, p, left);
  return fold_multiply(h ^ tail, 0x9E3779B97F4A7C15ull ^ seed);
}

}  // namespace motley::tok
