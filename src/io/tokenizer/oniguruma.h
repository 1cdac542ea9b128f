// The `tokenizers` package runs its patterns with Oniguruma; this program with PCRE2. The two read nearly the same language. What they
// read differently is rewritten here: \s, \w, \d, \h, long property names, {n,m}+ (a repetition, not a possessive one), (?m:), nested
// character classes and their intersections [a-z&&[^aeiou]].
//
//   pcre2_pattern("[^\\s\\p{L}]+", what)   ->   "[^\\x09-\\x0d\\x20\\x85...\\p{L}]+"
#pragma once
#include <string>
#include <string_view>

namespace motley::tok {

// what: where the pattern was read, for messages. Error(file) where brackets do not match.
std::string pcre2_pattern(std::string_view oniguruma, std::string_view what);

}  // namespace motley::tok
