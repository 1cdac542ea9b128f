#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/text.h"
#include "io/template/arguments.h"
#include "io/template/filters.h"
#include "io/template/methods.h"
#include "io/template/operators.h"

namespace motley::jinja::filters {
namespace {

// float(text) of Python: white space around, one underscore between digits, inf and nan.
std::optional<double> parse_python_float(std::string_view s) {
  s = strip_text(s, std::nullopt, 0);
  std::string digits;
  for (size_t i = 0; i < s.size(); ++i) {
    auto digit = [&](size_t k) { return k < s.size() && s[k] >= '0' && s[k] <= '9'; };
    if (s[i] == '_' && i > 0 && digit(i - 1) && digit(i + 1)) continue;
    digits += s[i];
  }
  std::string_view d = digits;
  bool negative = d.starts_with('-');
  if (d.starts_with('+') || negative) d.remove_prefix(1);
  if (d.empty() || d[0] == '+' || d[0] == '-') return std::nullopt;
  std::string low = lower_ascii(d);
  if (low == "inf" || low == "infinity") return negative ? -HUGE_VAL : HUGE_VAL;
  if (low == "nan") return NAN;
  if (low.find_first_not_of("0123456789.e+-") != low.npos) return std::nullopt;
  double v{};
  auto [end, code] = std::from_chars(d.data(), d.data() + d.size(), v);
  if (end != d.data() + d.size()) return std::nullopt;
  if (code == std::errc::result_out_of_range)
    v = low.find("e-") != low.npos ? 0 : HUGE_VAL;
  else if (code != std::errc{})
    return std::nullopt;
  return negative ? -v : v;
}

// int(text, base); nothing where Python raises ValueError.
std::optional<int64_t> parse_python_int(std::string_view s, int64_t base) {
  s = strip_text(s, std::nullopt, 0);
  bool negative = s.starts_with('-');
  if (s.starts_with('+') || negative) s.remove_prefix(1);
  bool prefixed = false;
  auto prefix = [&](char letter, int64_t of) {
    if (s.size() < 2 || s[0] != '0' || (s[1] | 0x20) != letter || (base != of && base != 0)) return;
    base = of;
    s.remove_prefix(2);
    prefixed = true;
  };
  prefix('x', 16), prefix('o', 8), prefix('b', 2);
  if (prefixed && s.starts_with('_')) s.remove_prefix(1);
  if (base == 0) {
    base = 10;
    if (s.size() > 1 && s[0] == '0' && s.find_first_not_of("0_") != s.npos) return std::nullopt;
  }
  std::string digits;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] == '_' && i > 0 && i + 1 < s.size() && s[i - 1] != '_') continue;
    digits += s[i];
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  if (negative) digits = "-" + digits;
  int64_t v{};
  auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), v, static_cast<int>(base));
  if (end != digits.data() + digits.size()) return std::nullopt;
  if (code == std::errc::result_out_of_range) throw Fault("OverflowError", "the number does not fit in a 64-bit integer");
  if (code != std::errc{}) return std::nullopt;
  return v;
}

std::optional<int64_t> truncated(double d) {
  if (!std::isfinite(d)) return std::nullopt;
  if (std::fabs(d) >= 9223372036854775807.0) throw Fault("OverflowError", "the number does not fit in a 64-bit integer");
  return static_cast<int64_t>(d);
}

// round(d, digits) of Python: halves go to even, decided on the exact decimal value of d.
double round_decimal(double d, int64_t digits) {
  if (!std::isfinite(d) || digits > 323) return d;
  if (digits < -308) return std::copysign(0.0, d);
  if (digits >= 0) {
    std::string out = fmt::format("{:.{}f}", d, digits);
    return parse_double(out).value_or(d);
  }
  double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::nearbyint(d / scale) * scale;
}

Value need_number(const Value& v, const char* what) {
  if (v.is_undefined()) raise_undefined(v.undefined());
  if (!v.is_number()) type_error(fmt::format("{}: '{}'", what, type_name(v)));
  return v;
}

}  // namespace

Value absolute(Render& r, const Value& input, Args& args) {
  Bound(args, "abs", {});
  if (input.is_undefined()) type_error("bad operand type for abs(): 'Undefined'");
  if (!input.is_number()) type_error(fmt::format("bad operand type for abs(): '{}'", type_name(input)));
  if (input.is(Kind::real)) return Value(std::fabs(input.real()));
  return input.integer() < 0 ? unary(r.heap, Unary::negate, input) : Value(input.integer());
}

Value to_int(Render&, const Value& input, Args& args) {
  Bound a(args, "int", {"default", "base"});
  Value otherwise = a.get(0, Value(int64_t{0}));
  if (input.is_undefined()) raise_undefined(input.undefined());
  if (input.is_integral()) return Value(input.integer());
  std::optional<int64_t> v;
  if (input.is(Kind::real)) {
    if (std::isinf(input.real())) throw Fault("OverflowError", "cannot convert float infinity to integer");
    v = truncated(input.real());
  } else if (input.is_text()) {
    int64_t base = a.integer(1, 10);
    if (base == 0 || (base >= 2 && base <= 36)) v = parse_python_int(view(input), base);
    if (!v) {
      if (auto d = parse_python_float(view(input))) v = truncated(*d);
    }
  }
  return v ? Value(*v) : otherwise;
}

Value to_float(Render&, const Value& input, Args& args) {
  Bound a(args, "float", {"default"});
  if (input.is_undefined()) raise_undefined(input.undefined());
  if (input.is_number()) return Value(input.real());
  if (input.is_text())
    if (auto d = parse_python_float(view(input))) return Value(*d);
  return a.get(0, Value(0.0));
}

Value round(Render& r, const Value& input, Args& args) {
  Bound a(args, "round", {"precision", "method"});
  std::string method = a.has(1) ? r.str(a[1]) : "common";
  if (method != "common" && method != "ceil" && method != "floor") throw Fault("FilterArgumentError", "method must be common, ceil or floor");
  if (method == "common") {
    Value v = input.is_undefined() ? (type_error("type Undefined doesn't define __round__ method"), input)
                                   : need_number(input, "doesn't define __round__ method");
    if (a.has(0) && a[0].is_none()) {  // round(x) without digits is an int
      if (v.is_integral()) return Value(v.integer());
      auto whole = truncated(std::nearbyint(v.real()));
      if (!whole) value_error("cannot convert float NaN or infinity to integer");
      return Value(*whole);
    }
    int64_t digits = a.integer(0, 0);
    if (v.is(Kind::real)) return Value(round_decimal(v.real(), digits));
    if (digits >= 0) return Value(v.integer());
    if (digits < -19) return Value(int64_t{0});
    // Whole numbers round to even tens, hundreds...
    int64_t n = v.integer();
    if (digits == -19) return Value(int64_t{0});
    int64_t unit = 1;
    for (int64_t i = 0; i < -digits; ++i) unit *= 10;
    int64_t rest = ((n % unit) + unit) % unit;
    Value low = binary(r, Binary::subtract, Value(n), Value(rest));
    bool up = rest * 2 > unit || (rest * 2 == unit && (low.integer() / unit) % 2 != 0);
    return binary(r, Binary::add, low, Value(up ? unit : int64_t{0}));
  }
  Value scale = binary(r, Binary::power, Value(int64_t{10}), a.get(0, Value(int64_t{0})));
  Value scaled = binary(r, Binary::multiply, need_number(input, "must be real number"), scale);
  if (scaled.is(Kind::real)) {
    auto whole = truncated(method == "ceil" ? std::ceil(scaled.real()) : std::floor(scaled.real()));
    if (!whole) throw Fault("OverflowError", "cannot convert float infinity or NaN to integer");
    scaled = Value(*whole);
  }
  return binary(r, Binary::divide, scaled, scale);
}

Value filesizeformat(Render& r, const Value& input, Args& args) {
  Bound a(args, "filesizeformat", {"binary"});
  double bytes = input.is_text() ? parse_python_float(view(input)).value_or(NAN)
                                 : need_number(input, "float() argument must be a string or a real number").real();
  if (input.is_text() && std::isnan(bytes)) value_error(fmt::format("could not convert string to float: {}", r.repr(input)));
  bool binary_units = a.flag(0, false);
  double base = binary_units ? 1024 : 1000;
  if (bytes == 1) return r.text("1 Byte");
  if (bytes < base) return r.text(fmt::format("{} Bytes", truncated(bytes).value_or(0)));
  constexpr const char* kDecimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
  constexpr const char* kBinary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
  double unit = base;
  for (size_t i = 0;; ++i) {
    unit *= base;
    if (bytes < unit || i == 7) return r.text(fmt::format("{:.1f} {}", base * bytes / unit, (binary_units ? kBinary : kDecimal)[i]));
  }
}

}  // namespace motley::jinja::filters
