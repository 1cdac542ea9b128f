#include "io/template/print.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/text.h"
#include "io/template/ast.h"
#include "io/template/objects.h"
#include "io/template/render.h"
#include "io/template/unicode.h"

namespace motley::jinja {
namespace {

void separate(std::string& out, bool& first) {
  if (!std::exchange(first, false)) out += ", ";
}

void print_object(Heap& heap, Object& o, std::string& out) {
  switch (o.kind) {
    case ObjectKind::name_space: {
      out += "<Namespace {";
      bool first = true;
      for (auto& [name, value] : static_cast<Namespace&>(o).attributes) {
        separate(out, first);
        print_text_repr(out, name);
        out += ": ";
        print_repr(heap, value, out);
      }
      out += "}>";
      return;
    }
    case ObjectKind::range: {
      auto& r = static_cast<Range&>(o);
      out += r.step == 1 ? fmt::format("range({}, {})", r.start, r.stop) : fmt::format("range({}, {}, {})", r.start, r.stop, r.step);
      return;
    }
    case ObjectKind::view: {
      auto& w = static_cast<View&>(o);
      out += type_name(Value(&o)) + "([";
      bool first = true;
      for (auto& [key, value] : w.dict->items) {
        separate(out, first);
        if (w.what == ViewKind::items) out += '(';
        if (w.what != ViewKind::values) print_repr(heap, key, out);
        if (w.what == ViewKind::items) out += ", ";
        if (w.what != ViewKind::keys) print_repr(heap, value, out);
        if (w.what == ViewKind::items) out += ')';
      }
      out += "])";
      return;
    }
    case ObjectKind::loop: {
      auto& loop = static_cast<Loop&>(o);
      out += fmt::format("<LoopContext {}/{}>", loop.index0 + 1, loop.known_length.value_or(0));
      return;
    }
    // Python prints an address here; there is none worth showing.
    default:
      out += fmt::format("<{} object>", type_name(Value(&o)));
  }
}

}  // namespace

std::string print_float(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char buffer[64];
  auto [end, code] = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific);
  std::string_view s(buffer, static_cast<size_t>(end - buffer));
  bool negative = s.front() == '-';
  if (negative) s.remove_prefix(1);
  size_t e = s.find('e');
  auto exponent = static_cast<int>(*parse_int(s.substr(e + 1 + (s[e + 1] == '+' ? 1 : 0))));
  std::string digits;
  for (char c : s.substr(0, e))
    if (c != '.') digits += c;
  std::string out = negative ? "-" : "";
  auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    out += digits[0];
    if (count > 1) out += "." + digits.substr(1);
    return out + fmt::format("e{}{:02}", exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1) return out + digits + std::string(static_cast<size_t>(exponent + 1 - count), '0') + ".0";
  return out + digits.substr(0, static_cast<size_t>(exponent + 1)) + "." + digits.substr(static_cast<size_t>(exponent + 1));
}

void print_text_repr(std::string& out, std::string_view s) {
  char quote = s.find('\'') != s.npos && s.find('"') == s.npos ? '"' : '\'';
  out += quote;
  for (size_t i = 0; i < s.size();) {
    auto [c, length] = decode_utf8(s, i);
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      out += s.substr(i, static_cast<size_t>(length));
    } else {
      auto u = static_cast<uint32_t>(c);
      out += u < 0x100 ? fmt::format("\\x{:02x}", u) : u < 0x10000 ? fmt::format("\\u{:04x}", u) : fmt::format("\\U{:08x}", u);
    }
    i += static_cast<size_t>(length);
  }
  out += quote;
}

void print_str(Heap& heap, const Value& v, std::string& out) {
  if (v.is_text()) {
    heap.work(view(v).size());
    heap.expect_room(out.size() + view(v).size());
    out += view(v);
  } else if (!v.is_undefined()) {
    print_repr(heap, v, out);
  }
}

void print_repr(Heap& heap, const Value& v, std::string& out) {
  Heap::Deeper deeper(heap);
  heap.step();
  switch (v.kind()) {
    case Kind::undefined:
      out += "Undefined";
      return;
    case Kind::none:
      out += "None";
      return;
    case Kind::boolean:
      out += v.boolean() ? "True" : "False";
      return;
    case Kind::integer:
      out += fmt::format("{}", v.integer());
      return;
    case Kind::real:
      out += print_float(v.real());
      return;
    case Kind::text: {
      heap.work(view(v).size());
      heap.expect_room(out.size() + 6 * view(v).size());
      if (v.text().markup) out += "Markup(";
      print_text_repr(out, view(v));
      if (v.text().markup) out += ')';
      return;
    }
    case Kind::list: {
      auto& l = v.list();
      bool first = true;
      out += l.tuple ? '(' : '[';
      for (auto& item : l.items) {
        separate(out, first);
        print_repr(heap, item, out);
      }
      if (l.tuple && l.items.size() == 1) out += ',';
      out += l.tuple ? ')' : ']';
      return;
    }
    case Kind::dict: {
      bool first = true;
      out += '{';
      for (auto& [key, value] : v.dict().items) {
        separate(out, first);
        print_repr(heap, key, out);
        out += ": ";
        print_repr(heap, value, out);
      }
      out += '}';
      return;
    }
    case Kind::object: {
      if (v.object()->kind == ObjectKind::macro) {
        out += "<Macro>";
        return;
      }
      return print_object(heap, *v.object(), out);
    }
  }
}

std::string Render::str(const Value& v) {
  if (v.is_text()) {
    heap.work(view(v).size());
    return v.text().bytes;
  }
  if (auto* macro = as<Macro>(v, ObjectKind::macro)) {
    std::string out = "<Macro ";
    if (macro->definition->name >= 0)
      print_text_repr(out, name_of(macro->definition->name));
    else
      out += "anonymous";
    return out + ">";
  }
  std::string out;
  print_str(heap, v, out);
  return out;
}

std::string Render::repr(const Value& v) {
  std::string out;
  print_repr(heap, v, out);
  return out;
}

}  // namespace motley::jinja
