#include <fmt/format.h>

#include "base/text.h"
#include "io/template/arguments.h"
#include "io/template/filters.h"
#include "io/template/format.h"
#include "io/template/json_text.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/template/unicode.h"
#include "io/template/wrap.h"

namespace motley::jinja::filters {
namespace {

// Jinja's soft_str: text stays what it is (Markup too), anything else becomes text.
Value soft(Render& r, const Value& v) { return v.is_text() ? v : r.text(r.str(v)); }

Value like(Render& r, const Value& text, std::string s) { return r.heap.text(std::move(s), text.text().markup); }

Value by_method(Render& r, const Value& input, Args& args, std::string_view method) {
  if (!args.positional.empty() || !args.named.empty()) type_error(fmt::format("{}() takes no arguments", method));
  return find_text_method(method)(r, soft(r, input), args);
}

void hex_escape(std::string& out, unsigned char c) { out += fmt::format("%{:02X}", c); }

std::string url_quote(Render& r, const Value& v, bool for_query) {
  std::string s = v.is_text() ? v.text().bytes : r.str(v);
  r.heap.work(3 * s.size());
  r.heap.expect_room(3 * s.size());
  std::string out;
  for (char raw : s) {
    auto c = static_cast<unsigned char>(raw);
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' ||
                 (c == '/' && !for_query);
    if (plain)
      out += raw;
    else if (c == ' ' && for_query)
      out += '+';
    else
      hex_escape(out, c);
  }
  return out;
}

const Value& need_text(const Value& v, const char* attribute) {
  if (v.is_undefined()) raise_undefined(v.undefined());
  if (!v.is_text()) throw Fault("AttributeError", fmt::format("'{}' object has no attribute '{}'", type_name(v), attribute));
  return v;
}

// Named and numbered entities that markupsafe's striptags turns back into characters.
std::string unescape_html(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    size_t end = s[i] == '&' ? s.substr(i, 12).find(';') : s.npos;
    if (end == s.npos) {
      out += s[i];
      continue;
    }
    std::string_view name = s.substr(i + 1, end - 1);
    std::string_view known;
    if (name == "amp")
      known = "&";
    else if (name == "lt")
      known = "<";
    else if (name == "gt")
      known = ">";
    else if (name == "quot" || name == "#34")
      known = "\"";
    else if (name == "apos" || name == "#39")
      known = "'";
    else if (name == "nbsp")
      known = "\u00A0";
    if (known.empty()) {
      out += s[i];
      continue;
    }
    out += known;
    i += end;
  }
  return out;
}

}  // namespace

Value upper(Render& r, const Value& input, Args& args) { return by_method(r, input, args, "upper"); }
Value lower(Render& r, const Value& input, Args& args) { return by_method(r, input, args, "lower"); }
Value capitalize(Render& r, const Value& input, Args& args) { return by_method(r, input, args, "capitalize"); }

// A word begins after white space or an opening bracket or hyphen, unlike in str.title, which also splits at apostrophes.
Value title(Render& r, const Value& input, Args& args) {
  Bound(args, "title", {});
  Value s = soft(r, input);
  r.heap.work(8 * view(s).size());
  r.heap.expect_room(8 * view(s).size());
  std::string out, word;
  auto flush = [&] {
    if (word.empty()) return;
    size_t first = static_cast<size_t>(decode_utf8(word, 0).length);
    out += python_upper(std::string_view(word).substr(0, first)) + python_lower(std::string_view(word).substr(first));
    word.clear();
  };
  bool between = false;
  for (char32_t c : to_code_points(view(s))) {
    bool separates = c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_space(c);
    if (separates != between) flush();
    between = separates;
    append_utf8(word, c);
  }
  flush();
  return r.text(std::move(out));
}

Value center(Render& r, const Value& input, Args& args) {
  Bound a(args, "center", {"width"});
  Value s = soft(r, input);
  return like(r, s, pad_text(r, view(s), s.text().length, a.integer(0, 80), '^', " "));
}

Value trim(Render& r, const Value& input, Args& args) {
  Bound a(args, "trim", {"chars"});
  Value s = soft(r, input);
  std::optional<std::string_view> chars;
  if (a.given(0)) {
    if (!a[0].is_text()) type_error("strip arg must be None or str");
    chars = view(a[0]);
  }
  if (chars) r.heap.work(16 * chars->size()), r.heap.expect_room(4 * chars->size());
  r.heap.work(view(s).size());
  return like(r, s, std::string(strip_text(view(s), chars, 0)));
}

Value replace(Render& r, const Value& input, Args& args) {
  Bound a(args, "replace", {"old", "new", "count"}, 2);
  int64_t count = a.given(2) ? as_index(a[2]) : -1;
  return r.text(replace_text(r, r.str(input), r.str(a[0]), r.str(a[1]), count));
}

Value string(Render& r, const Value& input, Args& args) {
  Bound(args, "string", {});
  return soft(r, input);
}

Value escape(Render& r, const Value& input, Args& args) {
  Bound(args, "escape", {});
  return r.heap.text(escaped(r, input), true);
}

Value forceescape(Render& r, const Value& input, Args& args) {
  Bound(args, "forceescape", {});
  std::string s = r.str(input);
  r.heap.work(5 * s.size());
  r.heap.expect_room(5 * s.size());
  return r.heap.text(escape_html(s), true);
}

Value safe(Render& r, const Value& input, Args& args) {
  Bound(args, "safe", {});
  return r.heap.text(r.str(input), true);
}

Value format(Render& r, const Value& input, Args& args) {
  if (!args.positional.empty() && !args.named.empty())
    throw Fault("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
  Value s = soft(r, input);
  if (args.named.empty()) return format_percent(r, s, r.heap.tuple(args.positional));
  Dict::Items items;
  for (auto& [name, value] : args.named) items.emplace_back(r.text(name), value);
  return format_percent(r, s, r.heap.dict(std::move(items)));
}

Value indent(Render& r, const Value& input, Args& args) {
  Bound a(args, "indent", {"width", "first", "blank"});
  const Value& s = need_text(input, "splitlines");
  bool markup = s.text().markup;
  std::string indention;
  if (a.has(0) && a[0].is_text()) {
    indention = markup ? escaped(r, a[0]) : a[0].text().bytes;
  } else {
    int64_t width = a.integer(0, 4);
    if (width > 0) indention = pad_text(r, "", 0, width, '<', " ");
  }
  bool first = a.flag(1, false), blank = a.flag(2, false);
  r.heap.work(16 * view(s).size());
  r.heap.expect_room((1 + sizeof(std::string_view)) * view(s).size());
  std::string with_newline = s.text().bytes + "\n";
  std::vector<std::string_view> lines = split_lines(with_newline);
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    bool indents = i == 0 ? first : blank || !lines[i].empty();
    r.heap.work(lines[i].size() + indention.size());
    r.heap.expect_room(out.size() + lines[i].size() + indention.size());
    if (i > 0) out += '\n';
    if (indents) out += indention;
    out += lines[i];
  }
  return like(r, s, std::move(out));
}

Value truncate(Render& r, const Value& input, Args& args) {
  Bound a(args, "truncate", {"length", "killwords", "end", "leeway"});
  int64_t length = a.integer(0, 255), leeway = a.given(3) ? as_index(a[3]) : 5;
  std::string end = a.has(2) ? need_text(a[2], "end").text().bytes : "...";
  int64_t end_length = count_code_points(end);
  if (length < end_length) throw Fault("AssertionError", fmt::format("expected length >= {}, got {}", end_length, length));
  if (leeway < 0) throw Fault("AssertionError", fmt::format("expected leeway >= 0, got {}", leeway));
  auto size = length_of(input);
  if (!size) type_error(fmt::format("object of type '{}' has no len()", type_name(input)));
  if (*size - leeway <= length) return input;  // whatever it is, if it is short
  const Value& s = need_text(input, "rsplit");
  r.heap.work(view(s).size());
  std::string_view cut = view(s).substr(0, byte_of_code_point(view(s), length - end_length));
  if (!a.flag(1, false)) cut = cut.substr(0, cut.rfind(' '));
  return like(r, s, std::string(cut) + (s.text().markup && a.has(2) ? escaped(r, a[2]) : end));
}

Value wordcount(Render& r, const Value& input, Args& args) {
  Bound(args, "wordcount", {});
  Value s = soft(r, input);
  r.heap.work(4 * view(s).size());
  r.heap.expect_room(4 * view(s).size());
  int64_t n = 0;
  bool inside = false;
  for (char32_t c : to_code_points(view(s))) {
    bool word = is_word(c);
    if (word && !inside) ++n;
    inside = word;
  }
  return Value(n);
}

Value wordwrap(Render& r, const Value& input, Args& args) {
  Bound a(args, "wordwrap", {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  const Value& s = need_text(input, "splitlines");
  std::string joint = a.given(2) ? need_text(a[2], "join").text().bytes : "\n";
  WrapStyle style{.width = a.integer(0, 79), .break_long_words = a.flag(1, true), .break_on_hyphens = a.flag(3, true)};
  if (style.width <= 0) value_error(fmt::format("invalid width {} (must be > 0)", style.width));
  // A piece of its own for every other character, at the worst.
  r.heap.work(16 * view(s).size());
  r.heap.expect_room(64 * view(s).size());
  std::string out;
  bool first = true;
  for (auto line : split_lines(view(s))) {
    if (!std::exchange(first, false)) out += joint;
    bool first_part = true;
    for (auto& part : wrap_line(line, style)) {
      if (!std::exchange(first_part, false)) out += joint;
      r.heap.work(joint.size() + part.size());
      r.heap.expect_room(out.size() + joint.size() + part.size());
      out += part;
    }
  }
  return r.text(std::move(out));
}

Value urlencode(Render& r, const Value& input, Args& args) {
  Bound(args, "urlencode", {});
  if (input.is_text() || !is_iterable(input)) return r.text(url_quote(r, input, false));
  std::vector<Value> pairs;
  if (input.is(Kind::dict)) {
    for (auto& [key, value] : input.dict().items) pairs.push_back(r.heap.tuple({key, value}));
  } else {
    pairs = to_vector(r.heap, input);
  }
  std::string out;
  for (auto& pair : pairs) {
    std::vector<Value> two = to_vector(r.heap, pair);
    if (two.size() != 2)
      value_error(fmt::format("{} values to unpack (expected 2{})", two.size() < 2 ? "not enough" : "too many",
                              two.size() < 2 ? fmt::format(", got {}", two.size()) : ""));
    if (!out.empty()) out += '&';
    out += url_quote(r, two[0], true) + "=" + url_quote(r, two[1], true);
    r.heap.expect_room(out.size());
  }
  return r.text(std::move(out));
}

Value striptags(Render& r, const Value& input, Args& args) {
  Bound(args, "striptags", {});
  std::string s = r.str(input), bare;
  // Comments first, each time the outermost; then tags.
  for (auto [open, close] : {std::pair<std::string_view, std::string_view>{"<!--", "-->"}, {"<", ">"}}) {
    bare.clear();
    size_t at = 0;
    for (;;) {
      size_t begin = s.find(open, at);
      size_t end = begin == s.npos ? s.npos : s.find(close, begin);
      if (end == s.npos) break;
      bare.append(s, at, begin - at);
      at = end + close.size();
    }
    bare.append(s, at);
    s = bare;
  }
  std::string out;
  size_t i = 0;
  while (i < bare.size()) {  // runs of white space become one space
    auto c = decode_utf8(bare, i);
    if (!is_space(c.value))
      out += bare.substr(i, static_cast<size_t>(c.length));
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
    i += static_cast<size_t>(c.length);
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return r.text(unescape_html(out));
}

Value xmlattr(Render& r, const Value& input, Args& args) {
  Bound a(args, "xmlattr", {"autospace"});
  if (input.is_undefined()) raise_undefined(input.undefined());
  if (!input.is(Kind::dict)) throw Fault("AttributeError", fmt::format("'{}' object has no attribute 'items'", type_name(input)));
  std::string out;
  for (auto& [key, value] : input.dict().items) {
    if (value.is_none() || value.is_undefined()) continue;
    if (!key.is_text()) type_error(fmt::format("expected string or bytes-like object, got '{}'", type_name(key)));
    if (view(key).find_first_of(" \t\n\r\f\v/>=") != std::string_view::npos)
      value_error(fmt::format("Invalid character in attribute name: {}", r.repr(key)));
    if (!out.empty()) out += ' ';
    out += escaped(r, key) + "=\"" + escaped(r, value) + "\"";
    r.heap.expect_room(out.size());
  }
  if (a.flag(0, true) && !out.empty()) out.insert(0, " ");
  return r.text(std::move(out));
}

Value tojson(Render& r, const Value& input, Args& args) {
  Bound a(args, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = a.flag(0, false);
  if (a.given(1)) {
    style.indent = a[1].is_text() ? a[1].text().bytes : pad_text(r, "", 0, as_index(a[1]), '<', " ");
    style.item_separator = ",";
  }
  if (a.given(2)) {
    std::vector<Value> two = to_vector(r.heap, a[2]);
    if (two.size() != 2 || !two[0].is_text() || !two[1].is_text()) type_error("separators: expected a pair of texts");
    style.item_separator = two[0].text().bytes;
    style.key_separator = two[1].text().bytes;
  }
  style.sort_keys = a.flag(3, false);
  return r.text(to_json(r.heap, input, style));
}

}  // namespace motley::jinja::filters
