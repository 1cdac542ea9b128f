#include "io/template/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "io/template/arguments.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/template/print.h"
#include "io/template/unicode.h"

namespace motley::jinja {
namespace {

constexpr int kMaxPrecision = 1000;

// What a conversion asks for; the format mini-language's spec, which % formatting fits into as well.
struct Spec {
  std::string fill = " ";
  char align = 0;  // < > ^ = or none
  char sign = '-';
  bool alternate = false, zero = false;
  int64_t width = 0;
  int grouping = 0;
  int precision = -1;
  char type = 0;
};

std::string group_digits(std::string_view digits, char separator, size_t every) {
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % every == 0) out += separator;
    out += digits[i];
  }
  return out;
}

std::string printf_double(const char* pattern, int precision, double d) {
  int n = std::snprintf(nullptr, 0, pattern, precision, d);
  std::string out(static_cast<size_t>(n) + 1, '\0');
  std::snprintf(out.data(), out.size(), pattern, precision, d);
  out.pop_back();
  return out;
}

// |d| in the given conversion.
std::string float_digits(double d, const Spec& s) {
  char type = s.type ? s.type : 'r';
  bool upper = type == 'E' || type == 'F' || type == 'G';
  if (std::isnan(d)) return upper ? "NAN" : "nan";
  if (std::isinf(d)) return upper ? "INF" : "inf";
  int precision = s.precision;
  if (type == 'r') {
    if (precision < 0) return print_float(d);
    // Like g, but with at least one digit after the point.
    std::string out = printf_double("%.*g", std::max(precision, 1), d);
    double magnitude = std::fabs(d);
    int digits_before = magnitude >= 1 ? static_cast<int>(std::floor(std::log10(magnitude))) + 1 : 1;
    if (out.find_first_of(".e") == out.npos) {
      if (digits_before >= std::max(precision, 1)) {
        out = printf_double("%.*e", std::max(precision, 1) - 1, d);
      } else {
        out += ".0";
      }
    }
    return out;
  }
  if (precision < 0) precision = 6;
  switch (type) {
    case 'e':
      return printf_double(s.alternate ? "%#.*e" : "%.*e", precision, d);
    case 'E':
      return printf_double(s.alternate ? "%#.*E" : "%.*E", precision, d);
    case 'f':
    case 'F':
      return printf_double(s.alternate ? "%#.*f" : "%.*f", precision, d);
    case 'g':
      return printf_double(s.alternate ? "%#.*g" : "%.*g", precision, d);
    case 'G':
      return printf_double(s.alternate ? "%#.*G" : "%.*G", precision, d);
    default:
      return printf_double("%.*f", precision, d * 100) + "%";  // type %
  }
}

std::string pad_number(Render& r, std::string sign, std::string digits, const Spec& s) {
  auto length = static_cast<int64_t>(sign.size() + digits.size());
  char align = s.align ? s.align : '>';
  if (align != '=') return pad_text(r, sign + digits, length, s.width, align, s.fill);
  return sign + pad_text(r, digits, length - static_cast<int64_t>(sign.size()), s.width - static_cast<int64_t>(sign.size()), '>', s.fill);
}

std::string sign_of(bool negative, char sign) { return negative ? "-" : sign == '+' ? "+" : sign == ' ' ? " " : ""; }

std::string format_float(Render& r, double d, const Spec& s) {
  bool negative = std::signbit(d) && !std::isnan(d);
  std::string digits = float_digits(std::fabs(d), s);
  if (s.grouping) {
    size_t point = digits.find_first_not_of("0123456789");
    std::string rest = point == digits.npos ? "" : digits.substr(point);
    digits = group_digits(std::string_view(digits).substr(0, point), static_cast<char>(s.grouping), 3) + rest;
  }
  return pad_number(r, sign_of(negative, s.sign), digits, s);
}

std::string format_integer(Render& r, int64_t i, const Spec& s) {
  uint64_t u = i < 0 ? 0 - static_cast<uint64_t>(i) : static_cast<uint64_t>(i);
  std::string digits, prefix;
  switch (s.type) {
    case 'x':
      digits = fmt::format("{:x}", u), prefix = "0x";
      break;
    case 'X':
      digits = fmt::format("{:X}", u), prefix = "0X";
      break;
    case 'o':
      digits = fmt::format("{:o}", u), prefix = "0o";
      break;
    case 'b':
      digits = fmt::format("{:b}", u), prefix = "0b";
      break;
    default:
      digits = fmt::format("{}", u);
      break;
  }
  if (s.grouping) digits = group_digits(digits, static_cast<char>(s.grouping), prefix.empty() ? 3 : 4);
  return pad_number(r, sign_of(i < 0, s.sign) + (s.alternate ? prefix : ""), digits, s);
}

std::string format_text(Render& r, std::string_view text, const Spec& s) {
  std::string cut(s.precision >= 0 ? text.substr(0, byte_of_code_point(text, s.precision)) : text);
  if (s.align == '=') value_error("'=' alignment not allowed in string format specifier");
  int64_t length = count_code_points(cut);
  char align = s.align ? s.align : '<';
  if (align != '^' || s.width <= length) return pad_text(r, cut, length, s.width, align, s.fill);
  // format() gives the odd space to the right, unlike str.center().
  int64_t left = (s.width - length) / 2;
  std::string front = pad_text(r, "", 0, left, '<', s.fill);
  return pad_text(r, front + cut, length + left, s.width, '<', s.fill);
}

std::string character(int64_t c) {
  if (c < 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) throw Fault("OverflowError", "%c arg not in range(0x110000)");
  std::string one;
  append_utf8(one, static_cast<char32_t>(c));
  return one;
}

int read_number(std::string_view s, size_t& i, int64_t limit, const char* what) {
  int64_t n = 0;
  while (i < s.size() && s[i] >= '0' && s[i] <= '9') {
    n = n * 10 + (s[i++] - '0');
    if (n > limit) throw Fault("LimitError", fmt::format("{} of more than {} in a format", what, limit));
  }
  return static_cast<int>(n);
}

// --- "{...}".format

Spec parse_spec(std::string_view s) {
  Spec spec;
  size_t i = 0;
  auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!s.empty()) {
    auto first = static_cast<size_t>(decode_utf8(s, 0).length);
    if (first < s.size() && is_align(s[first])) {
      spec.fill = std::string(s.substr(0, first));
      spec.align = s[first];
      i = first + 1;
    } else if (is_align(s[0])) {
      spec.align = s[0];
      i = 1;
    }
  }
  if (i < s.size() && (s[i] == '+' || s[i] == '-' || s[i] == ' ')) spec.sign = s[i++];
  if (i < s.size() && s[i] == '#') spec.alternate = true, ++i;
  if (i < s.size() && s[i] == '0') {
    spec.zero = true, ++i;
    if (!spec.align) spec.fill = "0", spec.align = '=';
  }
  spec.width = read_number(s, i, 100'000'000, "a width");
  if (i < s.size() && (s[i] == ',' || s[i] == '_')) spec.grouping = s[i++];
  if (i < s.size() && s[i] == '.') {
    ++i;
    if (i >= s.size() || s[i] < '0' || s[i] > '9') value_error("Format specifier missing precision");
    spec.precision = read_number(s, i, 100'000'000, "a precision");
  }
  if (i < s.size()) spec.type = s[i++];
  if (i != s.size()) value_error(fmt::format("Invalid format specifier '{}'", s));
  return spec;
}

std::string format_value(Render& r, const Value& v, std::string_view spec_text) {
  if (spec_text.empty()) return r.str(v);
  if (!v.is_number() && !v.is_text()) type_error(fmt::format("unsupported format string passed to {}.__format__", type_name(v)));
  Spec s = parse_spec(spec_text);
  auto unknown = [&] { value_error(fmt::format("Unknown format code '{}' for object of type '{}'", s.type, type_name(v))); };
  if (v.is_text()) {
    if (s.type && s.type != 's') unknown();
    if (s.sign != '-') value_error("Sign not allowed in string format specifier");
    if (s.alternate) value_error("Alternate form (#) not allowed in string format specifier");
    if (s.grouping) value_error("Cannot specify ',' with 's'.");
    if (s.zero && s.align == '=') s.align = '<';
    return format_text(r, view(v), s);
  }
  std::string_view float_types = "eEfFgG%";
  bool as_float = v.is(Kind::real) || (s.type && float_types.find(s.type) != float_types.npos);
  if (as_float) {
    if (s.type && s.type != 'n' && float_types.find(s.type) == float_types.npos) unknown();
    if (s.precision > kMaxPrecision) throw Fault("LimitError", fmt::format("a precision of more than {} in a format", kMaxPrecision));
    if (s.type == 'n') s.type = 'g';
    return format_float(r, v.real(), s);
  }
  if (s.precision >= 0) value_error("Precision not allowed in integer format specifier");
  if (s.type == 'c') {
    return format_text(r, character(v.integer()), s);
  }
  if (s.type && std::string_view("bdoxXn").find(s.type) == std::string_view::npos) unknown();
  return format_integer(r, v.integer(), s);
}

class BraceFormatter {
 public:
  BraceFormatter(Render& r, const Args& args, bool markup) : r_(r), args_(args), markup_(markup) {}

  std::string run(std::string_view s, int depth) {
    if (depth < 0) value_error("Max string recursion exceeded");
    std::string out;
    for (size_t i = 0; i < s.size(); ++i) {
      r_.heap.step();
      if (s[i] == '{') {
        if (i + 1 < s.size() && s[i + 1] == '{') {
          out += s[i++];
        } else {
          size_t end = field_end(s, i + 1);
          out += field(s.substr(i + 1, end - i - 1), depth);
          r_.heap.expect_room(out.size());
          i = end;
        }
      } else if (s[i] == '}') {
        if (i + 1 >= s.size() || s[i + 1] != '}') value_error("Single '}' encountered in format string");
        out += s[i++];
      } else {
        out += s[i];
      }
    }
    return out;
  }

 private:
  size_t field_end(std::string_view s, size_t at) {
    int open = 1;
    bool bracket = false;
    for (; at < s.size(); ++at) {
      if (s[at] == '[') bracket = true;
      if (s[at] == ']') bracket = false;
      if (bracket) continue;
      if (s[at] == '{') ++open;
      if (s[at] == '}' && --open == 0) return at;
    }
    value_error("expected '}' before end of string");
  }

  std::string field(std::string_view s, int depth) {
    size_t name_end = 0;
    bool bracket = false;
    for (; name_end < s.size(); ++name_end) {
      if (s[name_end] == '[') bracket = true;
      if (s[name_end] == ']') bracket = false;
      if (!bracket && (s[name_end] == '!' || s[name_end] == ':')) break;
      if (s[name_end] == '{') value_error("unexpected '{' in field name");
    }
    Value v = lookup(s.substr(0, name_end));
    std::string_view rest = s.substr(name_end);
    if (rest.starts_with('!')) {
      if (rest.size() < 2) value_error("end of string while looking for conversion specifier");
      char conversion = rest[1];
      if (rest.size() > 2 && rest[2] != ':') value_error("expected ':' after conversion specifier");
      if (conversion == 's')
        v = r_.text(r_.str(v));
      else if (conversion == 'r')
        v = r_.text(r_.repr(v));
      else if (conversion == 'a')
        v = r_.text(ascii(r_.repr(v)));
      else
        value_error(fmt::format("Unknown conversion specifier {}", conversion));
      rest = rest.substr(2);
    }
    std::string spec = rest.starts_with(':') ? run(rest.substr(1), depth - 1) : "";
    std::string text = format_value(r_, v, spec);
    // Into Markup, everything that is not Markup itself goes escaped.
    return markup_ && !(v.is_text() && v.text().markup) ? escape_html(text) : text;
  }

  static std::string ascii(std::string_view s) {
    std::string out;
    for (char32_t c : to_code_points(s)) {
      auto u = static_cast<uint32_t>(c);
      out += u < 0x80      ? std::string(1, static_cast<char>(u))
             : u < 0x100   ? fmt::format("\\x{:02x}", u)
             : u < 0x10000 ? fmt::format("\\u{:04x}", u)
                           : fmt::format("\\U{:08x}", u);
    }
    return out;
  }

  Value lookup(std::string_view name) {
    size_t end = name.find_first_of(".[");
    Value v = argument(name.substr(0, end), end == name.npos);
    while (end != name.npos && end < name.size()) {
      r_.heap.step();
      if (name[end] == '.') {
        size_t next = name.find_first_of(".[", end + 1);
        std::string_view attribute = name.substr(end + 1, next == name.npos ? next : next - end - 1);
        if (attribute.empty()) value_error("Empty attribute in format string");
        v = r_.attribute(v, attribute);
        end = next;
      } else {
        size_t close = name.find(']', end);
        if (close == name.npos) value_error("Missing ']' in format string");
        std::string_view key = name.substr(end + 1, close - end - 1);
        if (key.empty()) value_error("Empty attribute in format string");
        auto number = parse_int(key);
        v = r_.item(v, number && *number >= 0 ? Value(*number) : r_.text(std::string(key)));
        end = close + 1;
        if (end < name.size() && name[end] != '.' && name[end] != '[') value_error("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return v;
  }

  // alone: the field is nothing but this name; only then does an empty one stand for the next argument.
  Value argument(std::string_view name, bool alone) {
    bool digits = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
    if (!digits && !(alone && name.empty())) {
      for (auto& [key, value] : args_.named) {
        r_.heap.step();
        if (key == name) return value;
      }
      throw Fault("KeyError", fmt::format("'{}'", name));
    }
    bool automatic = name.empty();
    if (alone && ((automatic && numbered_ == 1) || (digits && numbered_ == 2)))
      value_error(automatic ? "cannot switch from manual field specification to automatic field numbering"
                            : "cannot switch from automatic field numbering to manual field specification");
    if (alone) numbered_ = automatic ? 2 : 1;
    auto index = automatic ? static_cast<int64_t>(next_++) : parse_int(name).value_or(INT64_MAX);
    if (index >= static_cast<int64_t>(args_.positional.size()))
      throw Fault("IndexError", fmt::format("Replacement index {} out of range for positional args tuple", index));
    return args_.positional[static_cast<size_t>(index)];
  }

  Render& r_;
  const Args& args_;
  bool markup_;
  int numbered_ = 0;  // 1 by hand, 2 automatic
  size_t next_ = 0;
};

// --- "%" formatting

int64_t percent_integer(const Value& v, char type) {
  if (v.is_integral()) return v.integer();
  bool decimal = type == 'd' || type == 'i' || type == 'u';
  if (v.is(Kind::real) && decimal) {
    if (!std::isfinite(v.real())) throw Fault("OverflowError", "cannot convert float infinity or NaN to integer");
    if (std::fabs(v.real()) >= 9.2e18) throw Fault("OverflowError", "the number does not fit in a 64-bit integer");
    return static_cast<int64_t>(v.real());
  }
  type_error(fmt::format("%{} format: {} is required, not {}", type, decimal ? "a real number" : "an integer", type_name(v)));
}

}  // namespace

std::string format_braces(Render& r, const Value& pattern, const Args& args) {
  return BraceFormatter(r, args, pattern.text().markup).run(view(pattern), 2);
}

Value format_percent(Render& r, const Value& pattern, const Value& values) {
  std::string_view s = view(pattern);
  bool markup = pattern.text().markup;
  bool tuple = values.is(Kind::list) && values.list().tuple;
  bool mapping = !tuple && !values.is_text() && (values.is(Kind::dict) || values.is(Kind::list) || values.is_undefined());
  std::string out;
  size_t used = 0;
  bool by_name = false;
  auto take = [&](const std::optional<std::string>& key) -> Value {
    if (key) {
      by_name = true;
      if (!mapping) type_error("format requires a mapping");
      if (!values.is(Kind::dict)) return r.item(values, r.text(*key));
      const Value* found = values.dict().find(*key);
      if (!found) throw Fault("KeyError", fmt::format("'{}'", *key));
      return *found;
    }
    if (tuple) {
      if (used >= values.list().items.size()) type_error("not enough arguments for format string");
      return values.list().items[used++];
    }
    if (used++ > 0) type_error("not enough arguments for format string");
    return values;
  };
  for (size_t i = 0; i < s.size(); ++i) {
    r.heap.step();
    if (s[i] != '%') {
      out += s[i];
      continue;
    }
    if (++i >= s.size()) value_error("incomplete format");
    std::optional<std::string> key;
    if (s[i] == '(') {
      int open = 1;
      size_t begin = ++i;
      for (; i < s.size(); ++i) {
        if (s[i] == '(') ++open;
        if (s[i] == ')' && --open == 0) break;
      }
      if (i >= s.size()) value_error("incomplete format key");
      key = std::string(s.substr(begin, i - begin));
      ++i;
    }
    Spec spec;
    bool left = false;
    for (; i < s.size(); ++i) {
      if (s[i] == '-')
        left = true;
      else if (s[i] == '+')
        spec.sign = '+';
      else if (s[i] == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else if (s[i] == '#')
        spec.alternate = true;
      else if (s[i] == '0')
        spec.zero = true;
      else
        break;
    }
    auto number = [&](int64_t limit, const char* what) -> int64_t {
      if (i >= s.size() || s[i] != '*') return read_number(s, i, limit, what);
      ++i;
      Value v = take(std::nullopt);
      if (!v.is_integral()) type_error("* wants int");
      if (std::abs(v.real()) > static_cast<double>(limit)) throw Fault("LimitError", fmt::format("{} of more than {} in a format", what, limit));
      return v.integer();
    };
    spec.width = number(100'000'000, "a width");
    if (spec.width < 0) left = true, spec.width = -spec.width;
    if (i < s.size() && s[i] == '.') {
      ++i;
      spec.precision = static_cast<int>(std::max<int64_t>(number(100'000'000, "a precision"), 0));
    }
    while (i < s.size() && (s[i] == 'l' || s[i] == 'h' || s[i] == 'L')) ++i;
    if (i >= s.size()) value_error("incomplete format");
    char type = s[i];
    if (type == '%') {
      out += '%';
      continue;
    }
    Value v = take(key);
    std::string text;
    spec.align = left ? '<' : '>';
    switch (type) {
      case 's':
      case 'r':
      case 'a': {
        std::string shown = type == 's' ? r.str(v) : r.repr(v);
        if (markup && !(v.is_text() && v.text().markup)) shown = escape_html(shown);
        text = format_text(r, shown, spec);
        break;
      }
      case 'c': {
        if (v.is_text() && v.text().length != 1) type_error("%c requires int or char");
        spec.precision = -1;
        text = format_text(r, v.is_text() ? v.text().bytes : character(percent_integer(v, 'c')), spec);
        break;
      }
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': {
        int64_t value = percent_integer(v, type);
        if (spec.zero && !left) spec.align = '=', spec.fill = "0";
        spec.type = type == 'i' || type == 'u' ? 'd' : type;
        if (spec.precision >= 0) {
          // A precision of an integer is its least number of digits.
          Spec digits;
          digits.align = '=', digits.fill = "0", digits.width = spec.precision + (value < 0 ? 1 : 0), digits.type = spec.type;
          std::string shown = format_integer(r, value, digits);
          std::string sign = value < 0 ? "-" : sign_of(false, spec.sign);
          text = pad_number(r, sign, value < 0 ? shown.substr(1) : shown, spec);
        } else {
          text = format_integer(r, value, spec);
        }
        break;
      }
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G':
        if (!v.is_number()) {
          if (v.is_undefined()) raise_undefined(v.undefined());
          type_error(fmt::format("must be real number, not {}", type_name(v)));
        }
        if (spec.precision > kMaxPrecision) throw Fault("LimitError", fmt::format("a precision of more than {} in a format", kMaxPrecision));
        if (spec.zero && !left && std::isfinite(v.real())) spec.align = '=', spec.fill = "0";
        spec.type = type;
        text = format_float(r, v.real(), spec);
        break;
      default:
        value_error(fmt::format("unsupported format character '{}' (0x{:x}) at index {}", type, static_cast<unsigned>(type) & 0xFF, i));
    }
    r.heap.work(text.size());
    r.heap.expect_room(out.size() + text.size());
    out += text;
  }
  if (!mapping && !by_name && used < (tuple ? values.list().items.size() : 1)) type_error("not all arguments converted during string formatting");
  return r.heap.text(std::move(out), markup);
}

}  // namespace motley::jinja
