#include "io/template/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "io/template/print.h"

namespace motley::jinja {
namespace {

class Writer {
 public:
  Writer(Heap& heap, const JsonStyle& style) : heap_(heap), style_(style) {}

  void write(const Value& v) {
    Heap::Deeper deeper(heap_);
    heap_.step();
    heap_.expect_room(out.size());
    switch (v.kind()) {
      case Kind::none:
        out += "null";
        return;
      case Kind::boolean:
        out += v.boolean() ? "true" : "false";
        return;
      case Kind::integer:
        out += fmt::format("{}", v.integer());
        return;
      case Kind::real:
        out += number(v.real());
        return;
      case Kind::text:
        return string(view(v));
      case Kind::list:
        return list(v.list());
      case Kind::dict:
        return dict(v.dict());
      default:
        type_error(fmt::format("Object of type {} is not JSON serializable", type_name(v)));
    }
  }
  std::string out;

 private:
  static std::string number(double d) {
    if (std::isnan(d)) return "NaN";
    if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
    return print_float(d);
  }

  void string(std::string_view s) {
    heap_.work(s.size());
    heap_.expect_room(out.size() + 6 * s.size());
    out += '"';
    for (size_t i = 0; i < s.size();) {
      auto [c, length] = decode_utf8(s, i);
      switch (c) {
        case '"':
          out += "\\\"";
          break;
        case '\\':
          out += "\\\\";
          break;
        case '\n':
          out += "\\n";
          break;
        case '\r':
          out += "\\r";
          break;
        case '\t':
          out += "\\t";
          break;
        case '\f':
          out += "\\f";
          break;
        case '\b':
          out += "\\b";
          break;
        default:
          if (c < 0x20 || (style_.ensure_ascii && c > 0x7E)) {
            escape(c);
          } else {
            out += s.substr(i, static_cast<size_t>(length));
          }
      }
      i += static_cast<size_t>(length);
    }
    out += '"';
  }

  void escape(char32_t c) {
    auto u = static_cast<uint32_t>(c);
    if (u == 0x7F) {
      out += '\x7F';
    } else if (u < 0x10000) {
      out += fmt::format("\\u{:04x}", u);
    } else {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((u - 0x10000) >> 10), 0xDC00 + ((u - 0x10000) & 0x3FF));
    }
  }

  void new_line() {
    if (!style_.indent) return;
    size_t bytes = style_.indent->size() * static_cast<size_t>(level_);
    heap_.work(bytes);
    heap_.expect_room(out.size() + bytes);
    out += '\n';
    for (int i = 0; i < level_; ++i) out += *style_.indent;
  }

  void list(const List& l) {
    if (l.items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    ++level_;
    bool first = true;
    for (auto& item : l.items) {
      if (!std::exchange(first, false)) separator();
      new_line();
      write(item);
    }
    --level_;
    new_line();
    out += ']';
  }

  void separator() {
    heap_.work(style_.item_separator.size());
    heap_.expect_room(out.size() + style_.item_separator.size());
    out += style_.item_separator;
  }

  std::string key_text(const Value& key) {
    switch (key.kind()) {
      case Kind::text:
        return key.text().bytes;
      case Kind::none:
        return "null";
      case Kind::boolean:
        return key.boolean() ? "true" : "false";
      case Kind::integer:
        return fmt::format("{}", key.integer());
      case Kind::real:
        return number(key.real());
      default:
        type_error(fmt::format("keys must be str, int, float, bool or None, not {}", type_name(key)));
    }
  }

  void dict(const Dict& d) {
    if (d.items.empty()) {
      out += "{}";
      return;
    }
    std::vector<const std::pair<Value, Value>*> order;
    for (auto& pair : d.items) order.push_back(&pair);
    if (style_.sort_keys) {
      std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) {
        heap_.step();
        return less(heap_, a->first, b->first);
      });
    }
    out += '{';
    ++level_;
    bool first = true;
    for (auto* pair : order) {
      if (!std::exchange(first, false)) separator();
      new_line();
      string(key_text(pair->first));
      heap_.work(style_.key_separator.size());
      heap_.expect_room(out.size() + style_.key_separator.size());
      out += style_.key_separator;
      write(pair->second);
    }
    --level_;
    new_line();
    out += '}';
  }

  Heap& heap_;
  const JsonStyle& style_;
  int level_ = 0;
};

}  // namespace

std::string to_json(Heap& heap, const Value& v, const JsonStyle& style) {
  Writer writer(heap, style);
  writer.write(v);
  return std::move(writer.out);
}

}  // namespace motley::jinja
