#include "io/template/operators.h"

#include <fmt/format.h>

#include <cmath>

#include "base/checked.h"
#include "io/template/format.h"

namespace motley::jinja {
namespace {

[[noreturn]] void overflow() { throw Fault("OverflowError", "the result does not fit in a 64-bit integer"); }

[[noreturn]] void zero_division(const char* what) { throw Fault("ZeroDivisionError", what); }

[[noreturn]] void unsupported(const char* symbol, const Value& a, const Value& b) {
  type_error(fmt::format("unsupported operand type(s) for {}: '{}' and '{}'", symbol, type_name(a), type_name(b)));
}

const char* symbol_of(Binary op) {
  switch (op) {
    case Binary::add:
      return "+";
    case Binary::subtract:
      return "-";
    case Binary::multiply:
      return "*";
    case Binary::divide:
      return "/";
    case Binary::floor_divide:
      return "//";
    case Binary::modulo:
      return "%";
    case Binary::power:
      return "** or pow()";
  }
  return "";
}

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) zero_division("integer division or modulo by zero");
  if (b == -1) {
    if (a == INT64_MIN) overflow();
    return -a;
  }
  int64_t q = a / b;
  return q - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0);
}

int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) zero_division("integer modulo by zero");
  if (b == -1) return 0;
  int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

double modulo(double a, double b) {
  if (b == 0) zero_division("float modulo");
  double r = std::fmod(a, b);
  if (r == 0) return std::copysign(0.0, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

double floor_divide(double a, double b) {
  if (b == 0) zero_division("float floor division by zero");
  double r = std::fmod(a, b);
  double quotient = (a - r) / b;
  if (r != 0 && (r < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(0.0, a / b);
  double whole = std::floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}

Value power(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral() && b.integer() >= 0) {
    int64_t result = 1, base = a.integer(), exponent = b.integer();
    if (base == 0 || base == 1) return Value(exponent == 0 ? int64_t{1} : base);
    if (base == -1) return Value(exponent % 2 == 0 ? int64_t{1} : int64_t{-1});
    if (exponent > 63) overflow();
    for (int64_t i = 0; i < exponent; ++i) {
      auto next = checked_mul(result, base);
      if (!next) overflow();
      result = *next;
    }
    return Value(result);
  }
  double x = a.real(), y = b.real();
  if (x == 0 && y < 0) zero_division("0.0 cannot be raised to a negative power");
  if (x < 0 && y != std::floor(y) && std::isfinite(y)) throw Fault("TypeError", "complex numbers are not supported in templates");
  double r = std::pow(x, y);
  if (std::isinf(r) && std::isfinite(x) && std::isfinite(y)) throw Fault("OverflowError", "(34, 'Numerical result out of range')");
  return Value(r);
}

Value arithmetic(Binary op, const Value& a, const Value& b) {
  if (op == Binary::power) return power(a, b);
  if (a.is_integral() && b.is_integral()) {
    int64_t x = a.integer(), y = b.integer(), r = 0;
    switch (op) {
      case Binary::add:
        if (__builtin_add_overflow(x, y, &r)) overflow();
        return Value(r);
      case Binary::subtract:
        if (__builtin_sub_overflow(x, y, &r)) overflow();
        return Value(r);
      case Binary::multiply:
        if (__builtin_mul_overflow(x, y, &r)) overflow();
        return Value(r);
      case Binary::divide:
        if (y == 0) zero_division("division by zero");
        return Value(static_cast<double>(x) / static_cast<double>(y));
      case Binary::floor_divide:
        return Value(floor_divide(x, y));
      default:
        return Value(modulo(x, y));
    }
  }
  double x = a.real(), y = b.real();
  switch (op) {
    case Binary::add:
      return Value(x + y);
    case Binary::subtract:
      return Value(x - y);
    case Binary::multiply:
      return Value(x * y);
    case Binary::divide:
      if (y == 0) zero_division("float division by zero");
      return Value(x / y);
    case Binary::floor_divide:
      return Value(floor_divide(x, y));
    default:
      return Value(modulo(x, y));
  }
}

Value repeat(Heap& heap, const Value& what, int64_t times) {
  auto n = static_cast<size_t>(std::max<int64_t>(times, 0));
  size_t each = what.is_text() ? view(what).size() : what.list().items.size() * sizeof(Value);
  auto total = checked_mul(n, each);
  if (!total) throw Fault("LimitError", "a repeated value does not fit in memory");
  heap.expect_room(*total);
  heap.work(*total);
  if (what.is_text()) {
    std::string out;
    out.reserve(*total);
    for (size_t i = 0; i < n && each > 0; ++i) out += view(what);
    return heap.text(std::move(out), what.text().markup);
  }
  auto& items = what.list().items;
  std::vector<Value> out;
  out.reserve(items.size() * n);
  for (size_t i = 0; i < n && each > 0; ++i) out.insert(out.end(), items.begin(), items.end());
  return what.list().tuple ? heap.tuple(std::move(out)) : heap.list(std::move(out));
}

}  // namespace

std::string escape_html(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  for (char c : s) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string escaped(Render& render, const Value& v) {
  if (v.is_text() && v.text().markup) return v.text().bytes;
  std::string s = render.str(v);
  render.heap.work(5 * s.size());
  render.heap.expect_room(5 * s.size());
  return escape_html(s);
}

Value add(Render& render, const Value& a, const Value& b) { return binary(render, Binary::add, a, b); }

Value binary(Render& render, Binary op, const Value& a, const Value& b) {
  Heap& heap = render.heap;
  if (a.is_number() && b.is_number()) return arithmetic(op, a, b);
  if (op == Binary::modulo && a.is_text()) return format_percent(render, a, b);
  if (a.is_undefined()) raise_undefined(a.undefined());
  if (b.is_undefined()) raise_undefined(b.undefined());
  if (op == Binary::add) {
    if (a.is_text() && b.is_text()) {
      bool markup = a.text().markup || b.text().markup;
      heap.expect_room(view(a).size() + view(b).size());
      // Text that meets Markup is escaped, as markupsafe does.
      if (markup) return heap.text(escaped(render, a) + escaped(render, b), true);
      std::string joined;
      joined.reserve(view(a).size() + view(b).size());
      joined.append(view(a)).append(view(b));
      return heap.text(std::move(joined));
    }
    if (a.is(Kind::list) && b.is(Kind::list) && a.list().tuple == b.list().tuple) {
      auto &x = a.list().items, &y = b.list().items;
      heap.expect_room((x.size() + y.size()) * sizeof(Value));
      std::vector<Value> items;
      items.reserve(x.size() + y.size());
      items.insert(items.end(), x.begin(), x.end());
      items.insert(items.end(), y.begin(), y.end());
      return a.list().tuple ? heap.tuple(std::move(items)) : heap.list(std::move(items));
    }
    if (a.is_text() && !a.text().markup) type_error(fmt::format("can only concatenate str (not \"{}\") to str", type_name(b)));
    if (a.is(Kind::list)) {
      const char* name = a.list().tuple ? "tuple" : "list";
      type_error(fmt::format("can only concatenate {} (not \"{}\") to {}", name, type_name(b), name));
    }
  }
  if (op == Binary::multiply) {
    auto repeatable = [](const Value& v) { return v.is_text() || v.is(Kind::list); };
    if (repeatable(a) && b.is_integral()) return repeat(heap, a, b.integer());
    if (repeatable(b) && a.is_integral()) return repeat(heap, b, a.integer());
    if (repeatable(a) || repeatable(b)) type_error(fmt::format("can't multiply sequence by non-int of type '{}'", type_name(repeatable(a) ? b : a)));
  }
  unsupported(symbol_of(op), a, b);
}

Value unary(Heap&, Unary op, const Value& v) {
  if (op == Unary::logical_not) return Value(!truth(v));
  if (v.is_undefined()) raise_undefined(v.undefined());
  if (!v.is_number()) type_error(fmt::format("bad operand type for unary {}: '{}'", op == Unary::negate ? "-" : "+", type_name(v)));
  if (v.is(Kind::real)) return Value(op == Unary::negate ? -v.real() : v.real());
  if (op == Unary::plus) return Value(v.integer());
  if (v.integer() == INT64_MIN) overflow();
  return Value(-v.integer());
}

bool compare(Render& render, Comparison op, const Value& a, const Value& b) {
  switch (op) {
    case Comparison::eq:
      return equal(render.heap, a, b);
    case Comparison::ne:
      return !equal(render.heap, a, b);
    case Comparison::lt:
      return less(render.heap, a, b, "<");
    case Comparison::gt:
      return less(render.heap, b, a, ">");
    case Comparison::le:
    case Comparison::ge: {
      const char* symbol = op == Comparison::le ? "<=" : ">=";
      const Value &x = op == Comparison::le ? a : b, &y = op == Comparison::le ? b : a;
      // Not the same as !(y < x): a NaN is neither.
      return less(render.heap, x, y, symbol) || equal(render.heap, x, y);
    }
    case Comparison::in:
      return contains(render.heap, b, a);
    case Comparison::not_in:
      return !contains(render.heap, b, a);
  }
  return false;
}

}  // namespace motley::jinja
