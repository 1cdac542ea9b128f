// What the readers of the IQ code books share: a row of a book with its signs, and the signs that seven bits stand for.
#pragma once
#include <bit>
#include <cstdint>

namespace motley::iq {

// count levels, each `bits` wide in the row, through the list of values; bit i of signs makes level i negative.
template <int count, int bits>
void row(uint16_t packed, const int8_t* values, unsigned signs, int8_t* q) {
  for (int i = 0; i < count; ++i) {
    const int level = values[packed >> (bits * i) & ((1 << bits) - 1)];
    q[i] = static_cast<int8_t>((signs >> i & 1) != 0 ? -level : level);
  }
}

// Eight signs of which seven are stored: the number of minus signs is even.
inline unsigned even_signs(unsigned seven) { return seven | (static_cast<unsigned>(std::popcount(seven)) & 1) << 7; }

}  // namespace motley::iq
