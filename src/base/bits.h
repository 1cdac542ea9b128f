// The inputs of a step are 32-bit words; one that is a float comes as its bits.
//
//   inputs["lr"] = bits_of(1e-3f);
#pragma once
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace motley {

inline std::vector<int32_t> bits_of(std::span<const float> values) {
  std::vector<int32_t> words;
  words.reserve(values.size());
  for (float v : values) words.push_back(std::bit_cast<int32_t>(v));
  return words;
}
inline std::vector<int32_t> bits_of(float value) { return {std::bit_cast<int32_t>(value)}; }

}  // namespace motley
