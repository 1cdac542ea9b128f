// Questions about characters that tokenizers ask. Tables are utf8proc's; the definitions are those of the `tokenizers` package, which
// differ in places from the obvious ones and are said beside each function.
//
//   for (const char* p = s.data(); p < end;) if (tok::is_white_space(tok::next_char(p))) ...
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace motley::tok {

// The code point at p, which advances behind it. The text must be valid UTF-8: encoding begins with lossy_utf8().
inline char32_t next_char(const char*& p) {
  auto byte = [&](int k) { return static_cast<unsigned char>(p[k]); };
  unsigned char lead = byte(0);
  if (lead < 0x80) return p += 1, char32_t{lead};
  if (lead < 0xE0) return p += 2, static_cast<char32_t>((lead & 0x1F) << 6 | (p[-1] & 0x3F));
  if (lead < 0xF0) return p += 3, static_cast<char32_t>((lead & 0x0F) << 12 | (p[-2] & 0x3F) << 6 | (p[-1] & 0x3F));
  return p += 4, static_cast<char32_t>((lead & 0x07) << 18 | (p[-3] & 0x3F) << 12 | (p[-2] & 0x3F) << 6 | (p[-1] & 0x3F));
}

// Bytes of the character that begins with this lead byte.
inline size_t char_length(char lead) {
  auto b = static_cast<unsigned char>(lead);
  return b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
}
inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool is_white_space(char32_t c);                  // the property White_Space
bool is_punctuation(char32_t c);                  // general category P, and all ASCII symbols ("$", "+", ...)
bool is_numeric(char32_t c);                      // general category N
bool is_mark(char32_t c);                         // general category M
bool is_nonspacing_mark(char32_t c);              // general category Mn
bool is_control(char32_t c);                      // Cc, Cf or private use, but not tab and line ends
bool is_word(char32_t c);                         // alphabetic, marks, decimal and letter numbers, connectors, joiners
bool is_cjk_ideograph(char32_t c);                // the blocks that BERT surrounds with spaces
void append_lower(std::string& out, char32_t c);  // the full lower case of one character, without context

bool is_ascii(std::string_view s);
bool is_valid_utf8(std::string_view s);
// s with U+FFFD for every maximal part of a character that is cut short or malformed (the substitution the Unicode standard
// recommends and every decoder of the `tokenizers` package makes).
std::string lossy_utf8(std::string_view s);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
std::string normal_form(std::string_view s, NormalForm form);

// Bytes of the first extended grapheme cluster of s (valid, not empty).
size_t grapheme_length(std::string_view s);

}  // namespace motley::tok
