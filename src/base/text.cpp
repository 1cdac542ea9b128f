#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace motley {

std::string_view trim(std::string_view s) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  auto first = s.find_first_not_of(kSpace);
  if (first == s.npos) return {};
  return s.substr(first, s.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split(std::string_view s, char separator) {
  std::vector<std::string_view> out;
  size_t begin = 0;
  for (;;) {
    auto end = s.find(separator, begin);
    out.push_back(s.substr(begin, end == s.npos ? end : end - begin));
    if (end == s.npos) return out;
    begin = end + 1;
  }
}

std::string lower_ascii(std::string_view s) {
  std::string out(s);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::optional<int64_t> parse_int(std::string_view s) {
  int64_t v{};
  auto [end, code] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (code != std::errc{} || end != s.data() + s.size() || s.empty()) return std::nullopt;
  return v;
}

std::optional<double> parse_double(std::string_view s) {
  double v{};
  auto [end, code] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (code != std::errc{} || end != s.data() + s.size() || s.empty()) return std::nullopt;
  return v;
}

std::optional<int64_t> parse_size(std::string_view s) {
  auto digits = s.find_first_not_of("0123456789.");
  auto number = parse_double(s.substr(0, digits));
  if (!number) return std::nullopt;
  double scale = 1;
  if (digits != s.npos) {
    std::string_view unit = s.substr(digits);
    const std::string_view letters = "kmgt";
    auto power = letters.find(lower_ascii(unit.substr(0, 1)));
    if (power == letters.npos) {
      if (unit != "B") return std::nullopt;
    } else {
      std::string_view rest = unit.substr(1);
      bool upper = unit[0] >= 'A' && unit[0] <= 'Z';
      double base = 0;
      if (rest == "iB" || rest == "i") base = 1024;
      if (rest == "B") base = 1000;
      if (rest.empty()) base = upper ? 1024 : 1000;
      if (base == 0) return std::nullopt;
      scale = std::pow(base, static_cast<double>(power) + 1);
    }
  }
  double value = *number * scale;
  if (!(value >= 0) || value > 9.0e18 || value != std::floor(value)) return std::nullopt;
  return static_cast<int64_t>(value);
}

namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t next = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = row[j];
      row[j] = next;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (auto c : candidates) {
    auto d = edit_distance(word, c);
    if (d < best_distance) best = c, best_distance = d;
  }
  return best;
}

void append_utf8(std::string& out, char32_t c) {
  auto put = [&](char32_t byte) { out.push_back(static_cast<char>(static_cast<unsigned char>(byte))); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | (c >> 6)), put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | (c >> 12)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | (c >> 18)), put(0x80 | ((c >> 12) & 0x3F)), put(0x80 | ((c >> 6) & 0x3F)), put(0x80 | (c & 0x3F));
  }
}

CodePoint decode_utf8(std::string_view s, size_t i) {
  auto byte = [&](size_t k) { return static_cast<unsigned char>(s[k]); };
  constexpr CodePoint kBad{0xFFFD, 1};
  unsigned char lead = byte(i);
  if (lead < 0x80) return {lead, 1};
  int length = lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xC2 && lead < 0xE0 ? 2 : 0;
  if (length == 0 || i + static_cast<size_t>(length) > s.size()) return kBad;
  char32_t c = lead & (0xFF >> (length + 1));
  for (int k = 1; k < length; ++k) {
    unsigned char next = byte(i + static_cast<size_t>(k));
    if ((next & 0xC0) != 0x80) return kBad;
    c = (c << 6) | (next & 0x3F);
  }
  bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
  if (overlong || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) return kBad;
  return {c, length};
}

std::string valid_utf8(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (size_t i = 0; i < s.size();) {
    auto c = decode_utf8(s, i);
    append_utf8(out, c.value);
    i += static_cast<size_t>(c.length);
  }
  return out;
}

std::string printable(std::string_view s, size_t limit) {
  std::string out;
  for (size_t i = 0; i < s.size();) {
    if (out.size() >= limit) return out + "...";
    auto c = decode_utf8(s, i);
    bool malformed = c.value == 0xFFFD && c.length == 1;
    if (malformed || c.value < 0x20 || (c.value >= 0x7F && c.value < 0xA0)) {
      for (int k = 0; k < c.length; ++k) {
        auto byte = static_cast<unsigned char>(s[i + static_cast<size_t>(k)]);
        out += "\\x", out += "0123456789abcdef"[byte >> 4], out += "0123456789abcdef"[byte & 15];
      }
    } else {
      out += s.substr(i, static_cast<size_t>(c.length));
    }
    i += static_cast<size_t>(c.length);
  }
  return out;
}

std::string printable_lines(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    size_t n = s.find_first_of("\n\t");
    out += printable(s.substr(0, n), std::string::npos);
    if (n == std::string_view::npos) break;
    out += s[n];
    s.remove_prefix(n + 1);
  }
  return out;
}

size_t complete_utf8_prefix(std::string_view s) {
  for (size_t back = 1; back <= 3 && back <= s.size(); ++back) {
    auto lead = static_cast<unsigned char>(s[s.size() - back]);
    if ((lead & 0xC0) == 0x80) continue;
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return length > back ? s.size() - back : s.size();
  }
  return s.size();
}

}  // namespace motley
