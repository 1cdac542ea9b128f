#include "io/tokenizer/unicode.h"

#include <utf8proc.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/text.h"

namespace motley::tok {
namespace {

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

// Length of the well-formed character at s[i], or minus the length of the maximal malformed part that begins there.
int character_at(std::string_view s, size_t i) {
  auto byte = [&](size_t k) { return static_cast<unsigned char>(s[i + k]); };
  unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  int length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
  if (length == 0) return -1;
  // The second byte's range excludes overlong forms, surrogates and code points past the last plane.
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80, high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (int k = 1; k < length; ++k) {
    if (i + static_cast<size_t>(k) >= s.size()) return -k;
    unsigned char next = byte(static_cast<size_t>(k));
    if (next < low || next > high) return -k;
    low = 0x80, high = 0xBF;
  }
  return length;
}

bool eight_ascii(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, 8);
  return (word & 0x8080808080808080ull) == 0;
}

utf8proc_option_t options_of(NormalForm form) {
  switch (form) {
    case NormalForm::nfc:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    case NormalForm::nfd:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
    case NormalForm::nfkc:
      return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case NormalForm::nfkd:
      break;
  }
  return static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
}

// Characters that no composition changes, wherever they stand: Latin with its precomposed letters, CJK, kana, Hangul syllables (those
// are followed by a composing jamo only where the jamo itself is in the text, and jamo are not in this set).
bool stable_in_nfc(char32_t c) {
  return c < 0x300 || (c >= 0x4E00 && c < 0xA000) || (c >= 0x3041 && c < 0x3097) || (c >= 0x30A0 && c < 0x3100) || (c >= 0xAC00 && c < 0xD7A4) ||
         (c >= 0x2010 && c < 0x2028) || (c >= 0xFF01 && c < 0xFFE0);
}

}  // namespace

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7F);
  auto k = category(c);
  return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

bool is_numeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  auto k = category(c);
  return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool is_mark(char32_t c) {
  auto k = category(c);
  return c >= 0x300 && k >= UTF8PROC_CATEGORY_MN && k <= UTF8PROC_CATEGORY_ME;
}

bool is_nonspacing_mark(char32_t c) { return c >= 0x300 && category(c) == UTF8PROC_CATEGORY_MN; }

bool is_control(char32_t c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  auto k = category(c);
  return k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
}

bool is_word(char32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  auto k = category(c);
  if (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NL) return true;
  bool circled = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  return k == UTF8PROC_CATEGORY_PC || circled || c == 0x200C || c == 0x200D;  // alphabetic without being letters; the two joiners
}

bool is_cjk_ideograph(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

void append_lower(std::string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c));
  } else if (c == 0x130) {
    out += "i\xCC\x87";  // the only character whose lower case is two
  } else {
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

bool is_ascii(std::string_view s) {
  size_t i = 0;
  for (; i + 8 <= s.size(); i += 8)
    if (!eight_ascii(s.data() + i)) return false;
  for (; i < s.size(); ++i)
    if (static_cast<unsigned char>(s[i]) >= 0x80) return false;
  return true;
}

bool is_valid_utf8(std::string_view s) {
  for (size_t i = 0; i < s.size();) {
    if (i + 8 <= s.size() && eight_ascii(s.data() + i)) {
      i += 8;
      continue;
    }
    int length = character_at(s, i);
    if (length < 0) return false;
    i += static_cast<size_t>(length);
  }
  return true;
}

std::string lossy_utf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size();) {
    int length = character_at(s, i);
    if (length > 0) {
      out += s.substr(i, static_cast<size_t>(length));
    } else {
      out += "\xEF\xBF\xBD";
    }
    i += static_cast<size_t>(std::abs(length));
  }
  return out;
}

std::string normal_form(std::string_view s, NormalForm form) {
  std::string out;
  out.reserve(s.size());
  size_t copied = 0;  // everything before is in out
  for (size_t i = 0; i < s.size();) {
    if (static_cast<unsigned char>(s[i]) < 0x80) {
      ++i;
      continue;
    }
    // A run of other characters, with the ASCII character before it: a mark may compose with that one, never with an earlier one.
    size_t begin = i > copied ? i - 1 : i;
    bool stable = form == NormalForm::nfc;
    while (i < s.size() && static_cast<unsigned char>(s[i]) >= 0x80) {
      const char* p = s.data() + i;
      stable = stable_in_nfc(next_char(p)) && stable;
      i = static_cast<size_t>(p - s.data());
    }
    if (stable) continue;
    out += s.substr(copied, begin - copied);
    utf8proc_uint8_t* result = nullptr;
    auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(s.data() + begin), static_cast<utf8proc_ssize_t>(i - begin), &result,
                               options_of(form));
    std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
    if (length < 0) fail(ErrorKind::runtime, "tokenizer", "Unicode normalisation failed: {}", utf8proc_errmsg(length));
    out.append(reinterpret_cast<const char*>(result), static_cast<size_t>(length));
    copied = i;
  }
  out += s.substr(copied);
  return out;
}

size_t grapheme_length(std::string_view s) {
  const char *p = s.data(), *end = s.data() + s.size();
  auto previous = static_cast<utf8proc_int32_t>(next_char(p));
  utf8proc_int32_t state = 0;
  while (p < end) {
    const char* here = p;
    auto c = static_cast<utf8proc_int32_t>(next_char(p));
    if (utf8proc_grapheme_break_stateful(previous, c, &state)) return static_cast<size_t>(here - s.data());
    previous = c;
  }
  return s.size();
}

}  // namespace motley::tok
