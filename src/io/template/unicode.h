// Python's ideas about characters, for text held as UTF-8: what is a space, a letter or a digit, how a letter changes case, where the
// n-th code point is. The tables are utf8proc's; the letters that change into several (sharp s, ligatures) are in unicode.cpp.
//
//   std::string shout = python_upper("straße");   // STRASSE
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace motley::jinja {

bool is_space(char32_t c);      // str.isspace
bool is_alpha(char32_t c);      // str.isalpha: a letter of any script
bool is_digit(char32_t c);      // str.isdigit: decimal digits and such as superscripts
bool is_decimal(char32_t c);    // str.isdecimal
bool is_numeric(char32_t c);    // str.isnumeric
bool is_printable(char32_t c);  // what repr() shows as it is
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_cased(char32_t c);
inline bool is_word(char32_t c) { return c == '_' || is_alpha(c) || is_numeric(c); }  // \w of a regular expression

std::string python_upper(std::string_view s);
std::string python_lower(std::string_view s);
std::string python_casefold(std::string_view s);
std::string python_swapcase(std::string_view s);
std::string python_capitalize(std::string_view s);
std::string python_title(std::string_view s);

bool all_ascii(std::string_view s);
int64_t count_code_points(std::string_view s);
// The byte where code point `index` starts (s.size() when there are fewer).
size_t byte_of_code_point(std::string_view s, int64_t index);
std::u32string to_code_points(std::string_view s);
std::string from_code_points(std::u32string_view s);

}  // namespace motley::jinja
