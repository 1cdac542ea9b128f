// Cuts a template into tokens the way Jinja does with trim_blocks and lstrip_blocks on: text between the tags, with the white space that
// the tags' signs and those two settings remove already gone, and the words and operators inside them.
//
//   for (const Token& t : tokenize("Hi {{ name }}!", 100)) ...   // data "Hi ", variable_begin, name, variable_end, data "!", end
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace motley::jinja {

enum class TokenKind : unsigned char { data, block_begin, block_end, variable_begin, variable_end, name, string, integer, real, op, end };

struct Token {
  TokenKind kind;
  int line;
  std::string_view text;  // into the source; a string keeps its quotes and escapes
};

// The source as Jinja reads it: every line end is \n, and one at the very end is dropped.
std::string normalize_source(std::string_view source);

// Fault("TemplateSyntaxError") with a line number in its message on anything that is not a token. The views point into source.
std::vector<Token> tokenize(std::string_view source);

// The value of a string token: quotes off, escapes replaced.
std::string unescape_string(std::string_view quoted, int line);

[[noreturn]] void syntax_error(int line, const std::string& message);

}  // namespace motley::jinja
