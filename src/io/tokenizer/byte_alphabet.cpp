#include "io/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "base/text.h"

namespace motley::tok {
namespace {

constexpr char32_t kEnd = 0x144;  // one past the alphabet's last character

struct Tables {
  std::array<char32_t, 256> from_byte{};
  std::array<int16_t, kEnd> to_byte{};
};

constexpr Tables make_tables() {
  Tables t;
  for (auto& b : t.to_byte) b = -1;
  char32_t next = 256;
  for (unsigned b = 0; b < 256; ++b) {
    bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    t.from_byte[b] = printable ? static_cast<char32_t>(b) : next++;
    t.to_byte[t.from_byte[b]] = static_cast<int16_t>(b);
  }
  return t;
}

constexpr Tables kTables = make_tables();

}  // namespace

char32_t byte_to_alphabet(unsigned char byte) { return kTables.from_byte[byte]; }
int alphabet_to_byte(char32_t c) { return c < kEnd ? kTables.to_byte[c] : -1; }

void append_as_alphabet(std::string& out, std::string_view bytes) {
  for (char b : bytes) append_utf8(out, byte_to_alphabet(static_cast<unsigned char>(b)));
}

std::optional<std::string> alphabet_to_bytes(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    auto c = decode_utf8(text, i);
    int byte = alphabet_to_byte(c.value);
    if (byte < 0) return std::nullopt;
    out.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    i += static_cast<size_t>(c.length);
  }
  return out;
}

}  // namespace motley::tok
