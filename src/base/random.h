// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random numbers as a function of a key and a
// counter. Nothing is stored, so every shard, thread or recomputation that asks for element i of (seed, stream) sees the same number.
//
//   float u = philox_uniform(seed, stream, i);   // in [0, 1)
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace motley {

constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t{0xD2511F53} * counter[0], b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b), static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

constexpr uint32_t philox(uint64_t seed, uint64_t stream, uint64_t index) {
  uint64_t group = index / 4;
  auto block = philox4x32(
      {static_cast<uint32_t>(group), static_cast<uint32_t>(group >> 32), static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return block[index % 4];
}

constexpr float philox_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
  return static_cast<float>(philox(seed, stream, index) >> 8) * 0x1.0p-24f;
}

// Standard normal by Box-Muller on elements 2i and 2i+1 of the stream.
float philox_normal(uint64_t seed, uint64_t stream, uint64_t index);

// A stream for each name (FNV-1a), always even: whoever needs a second one adds one.
constexpr uint64_t stream_of(std::string_view name) {
  uint64_t h = 14695981039346656037ull;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h & ~uint64_t{1};
}

}  // namespace motley
