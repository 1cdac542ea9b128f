// Small things about text that several folders need. Functions on views; nothing here allocates unless it returns a string.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace motley {

std::string_view trim(std::string_view s);  // ASCII white space at both ends
std::vector<std::string_view> split(std::string_view s, char separator);
std::string lower_ascii(std::string_view s);

// The whole of s as a number, or nothing (also when it does not fit).
std::optional<int64_t> parse_int(std::string_view s);
std::optional<double> parse_double(std::string_view s);

// "8k" = 8 * 1000, "8K" = 8 * 1024, likewise m/M, g/G; also KiB, MiB, GiB and KB, MB, GB (powers of 1000). For sizes and counts.
std::optional<int64_t> parse_size(std::string_view s);

// The candidate that a mistyped word most likely meant (edit distance at most a third of its length), for "did you mean".
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

// Appends code point c as UTF-8. c must be at most 0x10FFFF.
void append_utf8(std::string& out, char32_t c);

// One code point of s at byte i, and how many bytes it took. Malformed input gives U+FFFD and length 1, so a loop always advances.
struct CodePoint {
  char32_t value;
  int length;
};
CodePoint decode_utf8(std::string_view s, size_t i);

// s with every malformed sequence replaced by U+FFFD.
std::string valid_utf8(std::string_view s);

// s made safe to show inside an error message: control characters and malformed UTF-8 as \xNN, and no longer than limit bytes (then "...").
std::string printable(std::string_view s, size_t limit = 100);

// The same for a text of several lines, such as a message with names and values out of a file: line ends and tabs stay.
std::string printable_lines(std::string_view s);

// The length of the longest prefix of s that does not end inside a code point (for streaming bytes as text).
size_t complete_utf8_prefix(std::string_view s);

}  // namespace motley
