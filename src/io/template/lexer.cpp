#include "io/template/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "io/template/unicode.h"
#include "io/template/value.h"

namespace motley::jinja {
namespace {

bool ascii_digit(char c) { return c >= '0' && c <= '9'; }

// The end of s without its trailing white space.
size_t rstrip_end(std::string_view s) {
  size_t end = s.size();
  while (end > 0) {
    size_t start = end - 1;
    while (start > 0 && (static_cast<unsigned char>(s[start]) & 0xC0) == 0x80) --start;
    if (!is_space(decode_utf8(s, start).value)) break;
    end = start;
  }
  return end;
}

size_t skip_space(std::string_view s, size_t at) {
  while (at < s.size()) {
    auto c = decode_utf8(s, at);
    if (!is_space(c.value)) break;
    at += static_cast<size_t>(c.length);
  }
  return at;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) text();
    add(TokenKind::end, at_, at_);
    return std::move(tokens_);
  }

 private:
  bool starts(size_t at, std::string_view what) const { return source_.substr(std::min(at, source_.size())).starts_with(what); }

  void add(TokenKind kind, size_t from, size_t to) { tokens_.push_back({kind, line_, source_.substr(from, to - from)}); }

  // Moves to `to`, counting lines.
  void advance(size_t to) {
    line_ +=
        static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_), source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    if (to > at_) line_starting_ = source_[to - 1] == '\n';
    at_ = to;
  }

  // Emits the text from at_ to the tag at `tag`, less the white space that the tag's sign or lstrip_blocks removes.
  void data_before(size_t tag, char sign, bool lstrip) {
    std::string_view data = source_.substr(at_, tag - at_);
    size_t keep = data.size();
    if (sign == '-') {
      keep = rstrip_end(data);
    } else if (sign != '+' && lstrip) {
      size_t line_start = data.rfind('\n') == data.npos ? 0 : data.rfind('\n') + 1;
      if ((line_start > 0 || line_starting_) && skip_space(data, line_start) == data.size()) keep = line_start;
    }
    if (keep > 0) add(TokenKind::data, at_, at_ + keep);
    advance(tag);
  }

  char sign_at(size_t at) const { return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0'; }

  // The end of a closing tag at `at` ("%}" or "#}" with its sign and the white space it eats), or nothing when there is none.
  std::optional<size_t> close_at(size_t at, std::string_view tag) const {
    if (starts(at, "-") && starts(at + 1, tag)) return skip_space(source_, at + 1 + tag.size());
    if (starts(at, "+") && starts(at + 1, tag)) return at + 1 + tag.size();
    if (!starts(at, tag)) return std::nullopt;
    size_t end = at + tag.size();
    return starts(end, "\n") ? end + 1 : end;  // trim_blocks
  }

  // Outside of tags: text up to the next tag, and that tag.
  void text() {
    size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == source_.npos || tag + 1 >= source_.size()) {
        add(TokenKind::data, at_, source_.size());
        return advance(source_.size());
      }
      if (source_[tag + 1] == '%' || source_[tag + 1] == '{' || source_[tag + 1] == '#') break;
    }
    char kind = source_[tag + 1];
    char sign = sign_at(tag + 2);
    size_t inside = tag + 2 + (sign ? 1 : 0);
    data_before(tag, sign, kind != '{');
    if (kind == '#') return comment(inside);
    if (kind == '%') {
      if (auto raw_body = raw_begin(inside)) return raw(*raw_body);
    }
    add(kind == '{' ? TokenKind::variable_begin : TokenKind::block_begin, tag, inside);
    advance(inside);
    code(kind == '{');
  }

  void comment(size_t inside) {
    for (size_t i = inside; i < source_.size(); ++i) {
      if (source_[i] != '#' && source_[i] != '-' && source_[i] != '+') continue;
      if (auto end = close_at(i, "#}")) return advance(*end);
    }
    syntax_error(line_, "Missing end of comment tag");
  }

  // Where the text of a raw block starts, if the block tag at hand opens one. trim_blocks does not apply to it.
  std::optional<size_t> raw_begin(size_t inside) const {
    size_t word = skip_space(source_, inside);
    if (!starts(word, "raw")) return std::nullopt;
    size_t end = skip_space(source_, word + 3);
    if (starts(end, "-%}")) return skip_space(source_, end + 3);
    if (starts(end, "%}")) return end + 2;
    return std::nullopt;
  }

  void raw(size_t body) {
    int began = line_;
    advance(body);
    for (size_t tag = source_.find("{%", at_); tag != source_.npos; tag = source_.find("{%", tag + 1)) {
      char sign = sign_at(tag + 2);
      size_t word = skip_space(source_, tag + 2 + (sign ? 1 : 0));
      if (!starts(word, "endraw")) continue;
      auto end = close_at(skip_space(source_, word + 6), "%}");
      if (!end) continue;
      data_before(tag, sign, true);
      return advance(*end);
    }
    syntax_error(began, "Missing end of raw directive");
  }

  // Inside {{ }} or {% %}, up to and with the closing tag; brackets keep a "}}" of nested dicts from closing it.
  void code(bool variable) {
    std::string open;
    while (at_ < source_.size()) {
      if (open.empty()) {
        if (variable) {
          bool minus = starts(at_, "-}}");
          if (minus || starts(at_, "}}")) {
            size_t end = minus ? skip_space(source_, at_ + 3) : at_ + 2;
            add(TokenKind::variable_end, at_, end);
            return advance(end);
          }
        } else if (auto end = close_at(at_, "%}")) {
          add(TokenKind::block_end, at_, *end);
          return advance(*end);
        }
      }
      size_t space = skip_space(source_, at_);
      if (space > at_) {
        advance(space);
        continue;
      }
      if (number() || name() || string()) continue;
      op(open);
    }
  }

  size_t digits(size_t at) const {  // (\d+_)*\d+
    size_t end = at;
    while (end < source_.size() && (ascii_digit(source_[end]) || (source_[end] == '_' && end > at && source_[end - 1] != '_' &&
                                                                  end + 1 < source_.size() && ascii_digit(source_[end + 1]))))
      ++end;
    return end;
  }

  bool number() {
    if (!ascii_digit(source_[at_])) return false;
    size_t whole = digits(at_);
    size_t end = whole;
    bool real = false;
    if (at_ == 0 || source_[at_ - 1] != '.') {  // so that x.0.1 is two subscripts
      if (starts(end, ".") && digits(end + 1) > end + 1) end = digits(end + 1), real = true;
      if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
        size_t exponent = end + 1 + (sign_at(end + 1) ? 1 : 0);
        if (digits(exponent) > exponent) end = digits(exponent), real = true;
      }
    }
    if (!real) end = integer_end();
    add(real ? TokenKind::real : TokenKind::integer, at_, end);
    advance(end);
    return true;
  }

  size_t integer_end() const {
    if (source_[at_] != '0') return digits(at_);
    auto based = [&](std::string_view letters, auto accept) {
      size_t end = at_ + 1;
      if (end >= source_.size() || letters.find(source_[end]) == letters.npos) return at_;
      ++end;
      size_t first = end;
      while (end < source_.size() && (accept(source_[end]) || (source_[end] == '_' && end + 1 < source_.size() && accept(source_[end + 1])))) ++end;
      return end > first ? end : at_;
    };
    size_t end = based("bB", [](char c) { return c == '0' || c == '1'; });
    if (end == at_) end = based("oO", [](char c) { return c >= '0' && c <= '7'; });
    if (end == at_) end = based("xX", [](char c) { return ascii_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
    if (end > at_) return end;
    end = at_ + 1;  // zeros only: 007 is two numbers, which no grammar rule joins
    while (starts(end, "0") || starts(end, "_0")) end += source_[end] == '_' ? 2 : 1;
    return end;
  }

  bool name() {
    size_t end = at_;
    while (end < source_.size()) {
      auto c = decode_utf8(source_, end);
      bool mark =
          c.value >= 0x80 && c.value != 0xFFFD && !is_space(c.value) && !is_word(c.value) && is_printable(c.value) && end > at_ && c.value >= 0x300;
      if (!is_word(c.value) && !mark) break;
      end += static_cast<size_t>(c.length);
    }
    if (end == at_) return false;
    char32_t first = decode_utf8(source_, at_).value;
    if (is_numeric(first)) syntax_error(line_, "Invalid character in identifier");
    add(TokenKind::name, at_, end);
    advance(end);
    return true;
  }

  bool string() {
    char quote = source_[at_];
    if (quote != '"' && quote != '\'') return false;
    for (size_t i = at_ + 1; i < source_.size(); ++i) {
      if (source_[i] == '\\') {
        ++i;
      } else if (source_[i] == quote) {
        add(TokenKind::string, at_, i + 1);
        advance(i + 1);
        return true;
      }
    }
    return false;
  }

  void op(std::string& open) {
    for (std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
      if (!starts(at_, two)) continue;
      add(TokenKind::op, at_, at_ + 2);
      return advance(at_ + 2);
    }
    char c = source_[at_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      auto point = decode_utf8(source_, at_);
      syntax_error(line_, fmt::format("unexpected char '{}' at {}", printable(source_.substr(at_, static_cast<size_t>(point.length))), at_));
    }
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) syntax_error(line_, fmt::format("unexpected '{}'", c));
      if (open.back() != c) syntax_error(line_, fmt::format("unexpected '{}', expected '{}'", c, open.back()));
      open.pop_back();
    }
    add(TokenKind::op, at_, at_ + 1);
    advance(at_ + 1);
  }

  std::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

void syntax_error(int line, const std::string& message) { throw Fault("TemplateSyntaxError", fmt::format("{} (line {})", message, line)); }

std::string normalize_source(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

std::string unescape_string(std::string_view quoted, int line) {
  std::string_view s = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(s.size());
  auto hex = [&](size_t at, size_t count) {
    char32_t c = 0;
    for (size_t k = at; k < at + count; ++k) {
      char d = k < s.size() ? s[k] : '\0';
      int v = ascii_digit(d) ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : d >= 'A' && d <= 'F' ? d - 'A' + 10 : -1;
      if (v < 0) syntax_error(line, "'unicodeescape' codec can't decode bytes: truncated escape");
      c = c * 16 + static_cast<char32_t>(v);
    }
    if (c > 0x10FFFF) syntax_error(line, "'unicodeescape' codec can't decode bytes: illegal Unicode character");
    if (c >= 0xD800 && c < 0xE000) syntax_error(line, "half a surrogate pair in a string: write the character itself or \\U and eight digits");
    append_utf8(out, c);
  };
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\' || i + 1 == s.size()) {
      out += s[i];
      continue;
    }
    char c = s[++i];
    switch (c) {
      case '\n':
        break;
      case '\\':
      case '\'':
      case '"':
        out += c;
        break;
      case 'a':
        out += '\a';
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'v':
        out += '\v';
        break;
      case 'x':
        hex(i + 1, 2), i += 2;
        break;
      case 'u':
        hex(i + 1, 4), i += 4;
        break;
      case 'U':
        hex(i + 1, 8), i += 8;
        break;
      case 'N':
        syntax_error(line, "characters by name (\\N{...}) are not supported: write the character itself");
      default:
        if (c >= '0' && c <= '7') {
          char32_t value = 0;
          size_t k = i;
          for (; k < i + 3 && k < s.size() && s[k] >= '0' && s[k] <= '7'; ++k) value = value * 8 + static_cast<char32_t>(s[k] - '0');
          i = k - 1;
          append_utf8(out, value);
        } else if (static_cast<unsigned char>(c) < 0x80) {
          out += '\\';
          out += c;
        } else {
          // Jinja turns the character into its own escape before it decodes, and the backslash before it then escapes that one's.
          auto point = decode_utf8(s, i);
          out += point.value < 0x100     ? fmt::format("\\x{:02x}", static_cast<uint32_t>(point.value))
                 : point.value < 0x10000 ? fmt::format("\\u{:04x}", static_cast<uint32_t>(point.value))
                                         : fmt::format("\\U{:08x}", static_cast<uint32_t>(point.value));
          i += static_cast<size_t>(point.length) - 1;
        }
    }
  }
  return out;
}

}  // namespace motley::jinja
