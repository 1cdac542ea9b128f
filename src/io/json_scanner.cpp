#include "io/json_scanner.h"

#include <algorithm>
#include <limits>

namespace motley {
namespace {

constexpr uint64_t kWindow = 64 << 10;
constexpr int kMaxDepth = 64;

}  // namespace

void JsonScanner::fill() {
  window_begin_ = at_;
  window_.resize(std::min(kWindow, end_ - at_));
  source_.copy(at_, std::as_writable_bytes(std::span(window_.data(), window_.size())));
}

int JsonScanner::peek() {
  if (at_ >= end_) return -1;
  if (at_ - window_begin_ >= window_.size()) fill();
  return static_cast<unsigned char>(window_[at_ - window_begin_]);
}

void JsonScanner::space() {
  for (int c = peek(); c == ' ' || c == '\n' || c == '\r' || c == '\t'; c = peek()) ++at_;
}

void JsonScanner::expected(std::string_view what) {
  int c = peek();
  if (c < 0) refuse("the JSON text ends at byte {} where {} should be", at_, what);
  char byte = static_cast<char>(c);
  refuse("the JSON text has '{}' at byte {} where {} should be", printable({&byte, 1}), at_, what);
}

void JsonScanner::take(char c, std::string_view what) {
  space();
  if (peek() != static_cast<unsigned char>(c)) expected(what);
  ++at_;
}

void JsonScanner::object(const std::function<void(const std::string& key)>& member, size_t max_key) {
  take('{', "an object");
  space();
  if (peek() == '}') {
    ++at_;
    return;
  }
  for (;;) {
    space();
    if (peek() != '"') expected("a key in quotes");
    std::string key = text(max_key);
    take(':', "a colon");
    member(key);
    space();
    if (peek() == '}') break;
    take(',', "a comma or the end of the object");
  }
  ++at_;
}

unsigned char JsonScanner::string_byte() {
  int c = peek();
  if (c < 0x20) expected("the rest of a string");  // also the end of the text
  ++at_;
  return static_cast<unsigned char>(c);
}

uint32_t JsonScanner::hex4() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    int c = peek();
    uint32_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<uint32_t>(c - '0');
    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
      digit = static_cast<uint32_t>((c | 0x20) - 'a') + 10;
    } else {
      expected("a hexadecimal digit");
    }
    value = value * 16 + digit;
    ++at_;
  }
  return value;
}

void JsonScanner::escape(std::string& out) {
  int c = peek();
  const std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
  if (auto i = letters.find(static_cast<char>(c)); c > 0 && i != letters.npos) {
    ++at_;
    out += meanings[i];
    return;
  }
  if (c != 'u') expected("an escape");
  ++at_;
  uint32_t unit = hex4();
  if (unit >= 0xD800 && unit < 0xDC00) {
    if (peek() != '\\') expected("the second half of a surrogate pair");
    ++at_;
    if (peek() != 'u') expected("the second half of a surrogate pair");
    ++at_;
    uint32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) refuse("a surrogate without its second half ends at byte {}", at_);
    unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  } else if (unit >= 0xDC00 && unit < 0xE000) {
    refuse("a surrogate without its first half ends at byte {}", at_);
  }
  append_utf8(out, unit);
}

std::string JsonScanner::text(size_t most_bytes) {
  take('"', "a string");
  auto begin = at_;
  std::string out;
  bool ascii = true;  // as far as written without escapes, whose meanings are valid
  for (;;) {
    unsigned char c = string_byte();
    if (c == '"') break;
    if (c == '\\') {
      escape(out);
    } else {
      out += static_cast<char>(c);
    }
    if (c >= 0x80) ascii = false;
    if (out.size() > most_bytes) refuse("the string at byte {} is longer than {} bytes", begin, most_bytes);
  }
  if (!ascii && valid_utf8(out) != out) refuse("the string at byte {} is not valid UTF-8", begin);
  return out;
}

uint64_t JsonScanner::number() {
  space();
  auto begin = at_;
  uint64_t value = 0;
  constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  int c = peek();
  if (c < '0' || c > '9') expected("a whole number");
  for (; c >= '0' && c <= '9'; c = peek()) {
    auto digit = static_cast<uint64_t>(c - '0');
    if (at_ > begin && value == 0) refuse("the number at byte {} begins with a zero", begin);
    if (value > (kMost - digit) / 10) refuse("the number at byte {} is not below 2^63", begin);
    value = value * 10 + digit;
    ++at_;
  }
  if (c == '.' || c == 'e' || c == 'E') expected("a whole number");
  return value;
}

std::vector<uint64_t> JsonScanner::numbers(size_t most) {
  take('[', "an array of numbers");
  std::vector<uint64_t> out;
  space();
  if (peek() == ']') {
    ++at_;
    return out;
  }
  for (;;) {
    if (out.size() == most) refuse("the array that goes on at byte {} has more than {} numbers", at_, most);
    out.push_back(number());
    space();
    if (peek() == ']') break;
    take(',', "a comma or the end of the array");
  }
  ++at_;
  return out;
}

uint64_t JsonScanner::skip() {
  auto begin = at_;
  skip_value(0);
  return at_ - begin;
}

void JsonScanner::skip_value(int depth) {
  if (depth > kMaxDepth) refuse("the JSON text is nested deeper than {} levels at byte {}", kMaxDepth, at_);
  space();
  int c = peek();
  if (c == '"') {
    ++at_;
    for (unsigned char b = string_byte(); b != '"'; b = string_byte())
      if (b == '\\') string_byte();
  } else if (c == '{' || c == '[') {
    bool object = c == '{';
    int close = object ? '}' : ']';
    ++at_;
    space();
    if (peek() == close) {
      ++at_;
      return;
    }
    for (;;) {
      if (object) {
        space();
        if (peek() != '"') expected("a key in quotes");
        skip_value(depth + 1);
        take(':', "a colon");
      }
      skip_value(depth + 1);
      space();
      if (peek() == close) break;
      take(',', "a comma or a closing bracket");
    }
    ++at_;
  } else {
    auto begin = at_;
    const std::string_view letters = "+-.0123456789Eaeflnrstu";  // numbers, true, false, null
    for (; c > 0 && letters.find(static_cast<char>(c)) != letters.npos; c = peek()) ++at_;
    if (at_ == begin) expected("a value");
  }
}

void JsonScanner::end() {
  space();
  if (peek() >= 0) expected("nothing more");
}

}  // namespace motley
