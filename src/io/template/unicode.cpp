#include "io/template/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "base/text.h"

namespace motley::jinja {
namespace {

// Letters whose capital is several letters (Unicode's SpecialCasing): upper case, title case.
struct Special {
  char32_t letter;
  const char8_t* upper;
  const char8_t* title;
};
constexpr Special kSpecial[] = {
    // clang-format off
    {0x00DF, u8"SS", u8"Ss"}, {0x0149, u8"\u02BCN", u8"\u02BCN"}, {0x01F0, u8"J\u030C", u8"J\u030C"},
    {0x0390, u8"\u0399\u0308\u0301", u8"\u0399\u0308\u0301"}, {0x03B0, u8"\u03A5\u0308\u0301", u8"\u03A5\u0308\u0301"},
    {0x0587, u8"\u0535\u0552", u8"\u0535\u0582"}, {0x1E96, u8"H\u0331", u8"H\u0331"}, {0x1E97, u8"T\u0308", u8"T\u0308"},
    {0x1E98, u8"W\u030A", u8"W\u030A"}, {0x1E99, u8"Y\u030A", u8"Y\u030A"}, {0x1E9A, u8"A\u02BE", u8"A\u02BE"},
    {0x1F50, u8"\u03A5\u0313", u8"\u03A5\u0313"}, {0x1F52, u8"\u03A5\u0313\u0300", u8"\u03A5\u0313\u0300"},
    {0x1F54, u8"\u03A5\u0313\u0301", u8"\u03A5\u0313\u0301"}, {0x1F56, u8"\u03A5\u0313\u0342", u8"\u03A5\u0313\u0342"},
    {0x1F80, u8"\u1F08\u0399", u8"\u1F88"}, {0x1F81, u8"\u1F09\u0399", u8"\u1F89"}, {0x1F82, u8"\u1F0A\u0399", u8"\u1F8A"},
    {0x1F83, u8"\u1F0B\u0399", u8"\u1F8B"}, {0x1F84, u8"\u1F0C\u0399", u8"\u1F8C"}, {0x1F85, u8"\u1F0D\u0399", u8"\u1F8D"},
    {0x1F86, u8"\u1F0E\u0399", u8"\u1F8E"}, {0x1F87, u8"\u1F0F\u0399", u8"\u1F8F"}, {0x1F88, u8"\u1F08\u0399", u8"\u1F88"},
    {0x1F89, u8"\u1F09\u0399", u8"\u1F89"}, {0x1F8A, u8"\u1F0A\u0399", u8"\u1F8A"}, {0x1F8B, u8"\u1F0B\u0399", u8"\u1F8B"},
    {0x1F8C, u8"\u1F0C\u0399", u8"\u1F8C"}, {0x1F8D, u8"\u1F0D\u0399", u8"\u1F8D"}, {0x1F8E, u8"\u1F0E\u0399", u8"\u1F8E"},
    {0x1F8F, u8"\u1F0F\u0399", u8"\u1F8F"}, {0x1F90, u8"\u1F28\u0399", u8"\u1F98"}, {0x1F91, u8"\u1F29\u0399", u8"\u1F99"},
    {0x1F92, u8"\u1F2A\u0399", u8"\u1F9A"}, {0x1F93, u8"\u1F2B\u0399", u8"\u1F9B"}, {0x1F94, u8"\u1F2C\u0399", u8"\u1F9C"},
    {0x1F95, u8"\u1F2D\u0399", u8"\u1F9D"}, {0x1F96, u8"\u1F2E\u0399", u8"\u1F9E"}, {0x1F97, u8"\u1F2F\u0399", u8"\u1F9F"},
    {0x1F98, u8"\u1F28\u0399", u8"\u1F98"}, {0x1F99, u8"\u1F29\u0399", u8"\u1F99"}, {0x1F9A, u8"\u1F2A\u0399", u8"\u1F9A"},
    {0x1F9B, u8"\u1F2B\u0399", u8"\u1F9B"}, {0x1F9C, u8"\u1F2C\u0399", u8"\u1F9C"}, {0x1F9D, u8"\u1F2D\u0399", u8"\u1F9D"},
    {0x1F9E, u8"\u1F2E\u0399", u8"\u1F9E"}, {0x1F9F, u8"\u1F2F\u0399", u8"\u1F9F"}, {0x1FA0, u8"\u1F68\u0399", u8"\u1FA8"},
    {0x1FA1, u8"\u1F69\u0399", u8"\u1FA9"}, {0x1FA2, u8"\u1F6A\u0399", u8"\u1FAA"}, {0x1FA3, u8"\u1F6B\u0399", u8"\u1FAB"},
    {0x1FA4, u8"\u1F6C\u0399", u8"\u1FAC"}, {0x1FA5, u8"\u1F6D\u0399", u8"\u1FAD"}, {0x1FA6, u8"\u1F6E\u0399", u8"\u1FAE"},
    {0x1FA7, u8"\u1F6F\u0399", u8"\u1FAF"}, {0x1FA8, u8"\u1F68\u0399", u8"\u1FA8"}, {0x1FA9, u8"\u1F69\u0399", u8"\u1FA9"},
    {0x1FAA, u8"\u1F6A\u0399", u8"\u1FAA"}, {0x1FAB, u8"\u1F6B\u0399", u8"\u1FAB"}, {0x1FAC, u8"\u1F6C\u0399", u8"\u1FAC"},
    {0x1FAD, u8"\u1F6D\u0399", u8"\u1FAD"}, {0x1FAE, u8"\u1F6E\u0399", u8"\u1FAE"}, {0x1FAF, u8"\u1F6F\u0399", u8"\u1FAF"},
    {0x1FB2, u8"\u1FBA\u0399", u8"\u1FBA\u0345"}, {0x1FB3, u8"\u0391\u0399", u8"\u1FBC"}, {0x1FB4, u8"\u0386\u0399", u8"\u0386\u0345"},
    {0x1FB6, u8"\u0391\u0342", u8"\u0391\u0342"}, {0x1FB7, u8"\u0391\u0342\u0399", u8"\u0391\u0342\u0345"}, {0x1FBC, u8"\u0391\u0399", u8"\u1FBC"},
    {0x1FC2, u8"\u1FCA\u0399", u8"\u1FCA\u0345"}, {0x1FC3, u8"\u0397\u0399", u8"\u1FCC"}, {0x1FC4, u8"\u0389\u0399", u8"\u0389\u0345"},
    {0x1FC6, u8"\u0397\u0342", u8"\u0397\u0342"}, {0x1FC7, u8"\u0397\u0342\u0399", u8"\u0397\u0342\u0345"}, {0x1FCC, u8"\u0397\u0399", u8"\u1FCC"},
    {0x1FD2, u8"\u0399\u0308\u0300", u8"\u0399\u0308\u0300"}, {0x1FD3, u8"\u0399\u0308\u0301", u8"\u0399\u0308\u0301"},
    {0x1FD6, u8"\u0399\u0342", u8"\u0399\u0342"}, {0x1FD7, u8"\u0399\u0308\u0342", u8"\u0399\u0308\u0342"},
    {0x1FE2, u8"\u03A5\u0308\u0300", u8"\u03A5\u0308\u0300"}, {0x1FE3, u8"\u03A5\u0308\u0301", u8"\u03A5\u0308\u0301"},
    {0x1FE4, u8"\u03A1\u0313", u8"\u03A1\u0313"}, {0x1FE6, u8"\u03A5\u0342", u8"\u03A5\u0342"},
    {0x1FE7, u8"\u03A5\u0308\u0342", u8"\u03A5\u0308\u0342"}, {0x1FF2, u8"\u1FFA\u0399", u8"\u1FFA\u0345"}, {0x1FF3, u8"\u03A9\u0399", u8"\u1FFC"},
    {0x1FF4, u8"\u038F\u0399", u8"\u038F\u0345"}, {0x1FF6, u8"\u03A9\u0342", u8"\u03A9\u0342"},
    {0x1FF7, u8"\u03A9\u0342\u0399", u8"\u03A9\u0342\u0345"}, {0x1FFC, u8"\u03A9\u0399", u8"\u1FFC"}, {0xFB00, u8"FF", u8"Ff"},
    {0xFB01, u8"FI", u8"Fi"}, {0xFB02, u8"FL", u8"Fl"},
    {0xFB03, u8"FFI", u8"Ffi"}, {0xFB04, u8"FFL", u8"Ffl"},
    {0xFB05, u8"ST", u8"St"}, {0xFB06, u8"ST", u8"St"}, {0xFB13, u8"\u0544\u0546", u8"\u0544\u0576"},
    {0xFB14, u8"\u0544\u0535", u8"\u0544\u0565"}, {0xFB15, u8"\u0544\u053B", u8"\u0544\u056B"}, {0xFB16, u8"\u054E\u0546", u8"\u054E\u0576"},
    {0xFB17, u8"\u0544\u053D", u8"\u0544\u056D"},
    // clang-format on
};

const Special* special(char32_t c) {
  if (c < 0xDF) return nullptr;
  auto it = std::lower_bound(std::begin(kSpecial), std::end(kSpecial), c, [](const Special& s, char32_t x) { return s.letter < x; });
  return it != std::end(kSpecial) && it->letter == c ? it : nullptr;
}

void append(std::string& out, const char8_t* s) { out += reinterpret_cast<const char*>(s); }

void append_upper(std::string& out, char32_t c) {
  if (auto* s = special(c)) return append(out, s->upper);
  append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}

void append_title(std::string& out, char32_t c) {
  if (auto* s = special(c)) return append(out, s->title);
  append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
}

utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

bool case_ignorable(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xB7 || c == 0x2019;
  }
}

// A capital sigma at the end of a word becomes the final small sigma.
bool final_sigma(const std::u32string& s, size_t i) {
  size_t before = i;
  while (before > 0 && case_ignorable(s[before - 1])) --before;
  if (before == 0 || !is_cased(s[before - 1])) return false;
  size_t after = i + 1;
  while (after < s.size() && case_ignorable(s[after])) ++after;
  return after == s.size() || !is_cased(s[after]);
}

void append_lower(std::string& out, const std::u32string& s, size_t i) {
  char32_t c = s[i];
  if (c == 0x3A3) return append_utf8(out, final_sigma(s, i) ? 0x3C2 : 0x3C3);
  if (c == 0x130) return append(out, u8"i\u0307");
  append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

}  // namespace

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

bool is_alpha(char32_t c) {
  if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return true;
    default:
      return false;
  }
}

bool is_decimal(char32_t c) { return c < 0x80 ? c >= '0' && c <= '9' : category(c) == UTF8PROC_CATEGORY_ND; }

bool is_digit(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  if (is_decimal(c)) return true;
  return c == 0xB2 || c == 0xB3 || c == 0xB9 || (c >= 0x1369 && c <= 0x1371) || c == 0x19DA || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) ||
         (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468) || (c >= 0x2474 && c <= 0x247C) || (c >= 0x2488 && c <= 0x2490) ||
         c == 0x24EA || (c >= 0x24F5 && c <= 0x24FD) || c == 0x24FF || (c >= 0x2776 && c <= 0x277E) || (c >= 0x2780 && c <= 0x2788) ||
         (c >= 0x278A && c <= 0x2792);
}

bool is_numeric(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  auto k = category(c);
  return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

bool is_printable(char32_t c) {
  if (c < 0x80) return c >= 0x20 && c < 0x7F;
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
      return false;
    default:
      return true;
  }
}

bool is_upper(char32_t c) { return c < 0x80 ? c >= 'A' && c <= 'Z' : utf8proc_isupper(static_cast<utf8proc_int32_t>(c)) != 0; }
bool is_lower(char32_t c) { return c < 0x80 ? c >= 'a' && c <= 'z' : utf8proc_islower(static_cast<utf8proc_int32_t>(c)) != 0; }
bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || (c >= 0x80 && category(c) == UTF8PROC_CATEGORY_LT); }

std::string python_upper(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (char32_t c : to_code_points(s)) append_upper(out, c);
  return out;
}

std::string python_lower(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  auto points = to_code_points(s);
  for (size_t i = 0; i < points.size(); ++i) append_lower(out, points, i);
  return out;
}

std::string python_casefold(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (char32_t c : to_code_points(s)) {
    if (c < 0x80) {
      append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
      continue;
    }
    utf8proc_int32_t folded[8];
    int boundary = 0;
    auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 8, UTF8PROC_CASEFOLD, &boundary);
    for (utf8proc_ssize_t i = 0; i < n && i < 8; ++i) append_utf8(out, static_cast<char32_t>(folded[i]));
  }
  return out;
}

std::string python_swapcase(std::string_view s) {
  std::string out;
  auto points = to_code_points(s);
  for (size_t i = 0; i < points.size(); ++i) {
    if (is_upper(points[i]))
      append_lower(out, points, i);
    else if (is_lower(points[i]))
      append_upper(out, points[i]);
    else
      append_utf8(out, points[i]);
  }
  return out;
}

std::string python_capitalize(std::string_view s) {
  std::string out;
  auto points = to_code_points(s);
  for (size_t i = 0; i < points.size(); ++i) i == 0 ? append_title(out, points[i]) : append_lower(out, points, i);
  return out;
}

std::string python_title(std::string_view s) {
  std::string out;
  auto points = to_code_points(s);
  bool inside = false;
  for (size_t i = 0; i < points.size(); ++i) {
    bool cased = is_cased(points[i]);
    inside ? append_lower(out, points, i) : append_title(out, points[i]);
    inside = cased;
  }
  return out;
}

bool all_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

int64_t count_code_points(std::string_view s) {
  return std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

size_t byte_of_code_point(std::string_view s, int64_t index) {
  for (size_t i = 0; i < s.size(); ++i) {
    if ((static_cast<unsigned char>(s[i]) & 0xC0) == 0x80) continue;
    if (index-- == 0) return i;
  }
  return s.size();
}

std::u32string to_code_points(std::string_view s) {
  std::u32string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size();) {
    auto c = decode_utf8(s, i);
    out.push_back(c.value);
    i += static_cast<size_t>(c.length);
  }
  return out;
}

std::string from_code_points(std::u32string_view s) {
  std::string out;
  out.reserve(s.size());
  for (char32_t c : s) append_utf8(out, c);
  return out;
}

}  // namespace motley::jinja
