// The methods of str.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "io/template/arguments.h"
#include "io/template/format.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/template/unicode.h"

namespace motley::jinja {
namespace {

constexpr size_t kNotFound = std::string_view::npos;

// Linear in s whatever the two contain, which std::string_view::find is not.
size_t find_text(std::string_view s, std::string_view part, size_t from = 0) {
  if (from > s.size()) return kNotFound;
  if (part.empty()) return from;
  const void* found = memmem(s.data() + from, s.size() - from, part.data(), part.size());
  return found ? static_cast<size_t>(static_cast<const char*>(found) - s.data()) : kNotFound;
}

// The last occurrence, found as the first in the text turned round, so that this too is linear.
size_t rfind_text(std::string_view s, std::string_view part) {
  std::string turned(s.rbegin(), s.rend()), turned_part(part.rbegin(), part.rend());
  size_t at = find_text(turned, turned_part);
  return at == kNotFound ? kNotFound : s.size() - at - part.size();
}

std::u32string points_of(Render& r, const Value& v) {
  r.heap.work(4 * view(v).size());
  r.heap.expect_room(4 * view(v).size());
  return to_code_points(view(v));
}

const Value& need_text(const Value& v, const char* what) {
  if (v.is_text()) return v;
  type_error(fmt::format("{}: expected str, not {}", what, type_name(v)));
}

Value same_kind(Render& r, const Value& self, std::string s) { return r.heap.text(std::move(s), self.text().markup); }

// An argument of a Markup's method is escaped on its way in.
std::string argument(Render& r, const Value& self, const Value& v) {
  need_text(v, "argument");
  return self.text().markup ? escaped(r, v) : v.text().bytes;
}

template <std::string (*change)(std::string_view)>
Value changed(Render& r, const Value& self, Args& args) {
  Bound(args, "method", {});
  r.heap.expect_room(8 * view(self).size());
  r.heap.work(8 * view(self).size());
  return same_kind(r, self, change(view(self)));
}

template <int side>
Value strip(Render& r, const Value& self, Args& args) {
  Bound a(args, "strip", {"chars"});
  std::optional<std::string_view> chars;
  if (a.given(0)) chars = view(need_text(a[0], "strip arg"));
  if (chars) r.heap.work(32 * chars->size()), r.heap.expect_room(4 * chars->size());
  r.heap.work((chars ? 8 : 1) * view(self).size());  // each character is looked up among those
  return same_kind(r, self, std::string(strip_text(view(self), chars, side)));
}

// The slice of self that find, count, startswith... look at, by their start and end arguments.
struct Window {
  std::string_view text;
  int64_t start = 0;  // in code points
  bool valid = true;  // start lies in the text
};
Window window(Render& r, const Value& self, const Bound& a) {
  std::string_view s = view(self);
  r.heap.work(s.size());
  int64_t length = self.text().length;
  auto place = [&](size_t i, int64_t otherwise) {
    if (!a.given(i)) return otherwise;
    int64_t v = as_index(a[i]);
    return v < 0 ? std::max<int64_t>(v < -length ? 0 : v + length, 0) : v;
  };
  int64_t start = place(1, 0), stop = std::min(place(2, length), length);
  if (start > length || start > stop) return {{}, start, false};
  size_t from = self.text().ascii() ? static_cast<size_t>(start) : byte_of_code_point(s, start);
  size_t to = self.text().ascii() ? static_cast<size_t>(stop) : byte_of_code_point(s, stop);
  return {s.substr(from, to - from), start, true};
}

template <bool last, bool raises>
Value find(Render& r, const Value& self, Args& args) {
  Bound a(args, "find", {"sub", "start", "end"}, 1);
  std::string_view part = view(need_text(a[0], "find"));
  Window w = window(r, self, a);
  if (last) r.heap.work(3 * w.text.size() + 2 * part.size());  // both are turned round
  size_t at = !w.valid ? kNotFound : last ? rfind_text(w.text, part) : find_text(w.text, part);
  if (at == kNotFound) {
    if (raises) value_error("substring not found");
    return Value(int64_t{-1});
  }
  return Value(w.start + count_code_points(w.text.substr(0, at)));
}

Value count(Render& r, const Value& self, Args& args) {
  Bound a(args, "count", {"sub", "start", "end"}, 1);
  std::string_view part = view(need_text(a[0], "count"));
  Window w = window(r, self, a);
  if (!w.valid) return Value(int64_t{0});
  if (part.empty()) return Value(count_code_points(w.text) + 1);
  int64_t n = 0;
  for (size_t at = find_text(w.text, part); at != kNotFound; at = find_text(w.text, part, at + part.size())) ++n;
  return Value(n);
}

template <bool front>
Value starts_or_ends(Render& r, const Value& self, Args& args) {
  const char* name = front ? "startswith" : "endswith";
  Bound a(args, name, {"affix", "start", "end"}, 1);
  Window w = window(r, self, a);
  auto matches = [&](const Value& v) {
    if (!v.is_text()) type_error(fmt::format("{} first arg must be str or a tuple of str, not {}", name, type_name(v)));
    return w.valid && (front ? w.text.starts_with(view(v)) : w.text.ends_with(view(v)));
  };
  if (!a[0].is(Kind::list) || !a[0].list().tuple) return Value(matches(a[0]));
  for (auto& v : a[0].list().items) {
    r.heap.step();
    if (matches(v)) return Value(true);
  }
  return Value(false);
}

template <bool front>
Value remove_affix(Render& r, const Value& self, Args& args) {
  Bound a(args, "removeprefix", {"affix"}, 1);
  std::string_view s = view(self), affix = view(need_text(a[0], "removeprefix"));
  if (front && s.starts_with(affix)) s.remove_prefix(affix.size());
  if (!front && s.ends_with(affix)) s.remove_suffix(affix.size());
  return same_kind(r, self, std::string(s));
}

Value replace(Render& r, const Value& self, Args& args) {
  Bound a(args, "replace", {"old", "new", "count"}, 2);
  std::string old = argument(r, self, a[0]), with = argument(r, self, a[1]);
  return same_kind(r, self, replace_text(r, view(self), old, with, a.integer(2, -1)));
}

Value join(Render& r, const Value& self, Args& args) {
  Bound a(args, "join", {"iterable"}, 1);
  std::string out;
  Pull pull = iterate(r.heap, a[0]);
  Value item;
  for (int64_t i = 0; pull(item); ++i) {
    if (!item.is_text() && !self.text().markup) type_error(fmt::format("sequence item {}: expected str instance, {} found", i, type_name(item)));
    if (i > 0) out += view(self);
    out += self.text().markup ? escaped(r, item) : item.text().bytes;
    r.heap.work(view(self).size());
    r.heap.expect_room(out.size());
  }
  return same_kind(r, self, std::move(out));
}

Value text_list(Render& r, const Value& self, const std::vector<std::string_view>& parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (auto part : parts) items.push_back(same_kind(r, self, std::string(part)));
  return r.heap.list(std::move(items));
}

size_t next_space(std::string_view s, size_t at, bool wanted) {
  while (at < s.size()) {
    auto c = decode_utf8(s, at);
    if (is_space(c.value) == wanted) break;
    at += static_cast<size_t>(c.length);
  }
  return at;
}

std::vector<std::string_view> split_space(std::string_view s, int64_t limit) {
  std::vector<std::string_view> parts;
  size_t at = next_space(s, 0, false);
  while (at < s.size()) {
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.push_back(s.substr(at));
      break;
    }
    size_t end = next_space(s, at, true);
    parts.push_back(s.substr(at, end - at));
    at = next_space(s, end, false);
  }
  return parts;
}

std::vector<std::string_view> rsplit_space(std::string_view s, int64_t limit) {
  std::vector<std::string_view> all = split_space(s, -1);
  if (limit < 0 || static_cast<int64_t>(all.size()) <= limit) return all;
  size_t kept = all.size() - static_cast<size_t>(limit);  // words that stay together at the front
  std::vector<std::string_view> parts;
  std::string_view trimmed = strip_text(s, std::nullopt, -1);
  size_t end = static_cast<size_t>(all[kept - 1].data() + all[kept - 1].size() - s.data());
  size_t begin = static_cast<size_t>(trimmed.data() - s.data());
  // With a limit of 0 the text keeps the space at its front, as rsplit only strips the end it splits from.
  if (kept > 0) parts.push_back(s.substr(limit >= 0 ? 0 : begin, end - (limit >= 0 ? 0 : begin)));
  parts.insert(parts.end(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end());
  return parts;
}

template <bool right>
Value split(Render& r, const Value& self, Args& args) {
  Bound a(args, "split", {"sep", "maxsplit"});
  std::string_view s = view(self);
  int64_t limit = a.integer(1, -1);
  r.heap.work(s.size());
  r.heap.expect_room(s.size() * sizeof(std::string_view));
  if (!a.given(0)) return text_list(r, self, right ? rsplit_space(s, limit) : split_space(s, limit));
  std::string_view separator = view(need_text(a[0], "split"));
  if (separator.empty()) value_error("empty separator");
  std::vector<size_t> places;
  if (right && limit >= 0) {
    // From the right, so that overlapping separators are found as Python finds them.
    std::string turned(s.rbegin(), s.rend()), turned_separator(separator.rbegin(), separator.rend());
    for (size_t at = 0; static_cast<int64_t>(places.size()) < limit; at += separator.size()) {
      at = find_text(turned, turned_separator, at);
      if (at == kNotFound) break;
      places.push_back(s.size() - at - separator.size());
    }
    std::reverse(places.begin(), places.end());
  } else {
    for (size_t at = find_text(s, separator); at != kNotFound && (limit < 0 || static_cast<int64_t>(places.size()) < limit);
         at = find_text(s, separator, at + separator.size()))
      places.push_back(at);
  }
  std::vector<std::string_view> parts;
  size_t begin = 0;
  for (size_t at : places) {
    parts.push_back(s.substr(begin, at - begin));
    begin = at + separator.size();
  }
  parts.push_back(s.substr(begin));
  return text_list(r, self, parts);
}

template <bool right>
Value partition(Render& r, const Value& self, Args& args) {
  Bound a(args, "partition", {"sep"}, 1);
  std::string_view s = view(self), separator = view(need_text(a[0], "partition"));
  if (separator.empty()) value_error("empty separator");
  r.heap.work(s.size());
  size_t at = right ? rfind_text(s, separator) : find_text(s, separator);
  std::string_view parts[3] = {right ? std::string_view() : s, {}, right ? s : std::string_view()};
  if (at != kNotFound) parts[0] = s.substr(0, at), parts[1] = separator, parts[2] = s.substr(at + separator.size());
  std::vector<Value> items;
  for (auto part : parts) items.push_back(same_kind(r, self, std::string(part)));
  return r.heap.tuple(std::move(items));
}

Value splitlines(Render& r, const Value& self, Args& args) {
  Bound a(args, "splitlines", {"keepends"});
  r.heap.work(view(self).size());
  r.heap.expect_room(view(self).size() * sizeof(std::string_view));
  return text_list(r, self, split_lines(view(self), a.flag(0, false)));
}

template <bool (*holds)(char32_t)>
Value every(Render& r, const Value& self, Args& args) {
  Bound(args, "is method", {});
  auto points = points_of(r, self);
  return Value(!points.empty() && std::all_of(points.begin(), points.end(), holds));
}
bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }
bool is_ascii_character(char32_t c) { return c < 0x80; }

Value isascii(Render& r, const Value& self, Args& args) { return view(self).empty() ? Value(true) : every<is_ascii_character>(r, self, args); }
Value isprintable(Render& r, const Value& self, Args& args) { return view(self).empty() ? Value(true) : every<is_printable>(r, self, args); }

template <bool upper>
Value is_case(Render& r, const Value& self, Args& args) {
  Bound(args, "is method", {});
  bool any = false;
  for (char32_t c : points_of(r, self)) {
    if (upper ? is_lower(c) : is_upper(c)) return Value(false);
    any = any || (upper ? is_upper(c) : is_lower(c));
  }
  return Value(any);
}

Value istitle(Render& r, const Value& self, Args& args) {
  Bound(args, "istitle", {});
  bool inside = false, any = false;
  for (char32_t c : points_of(r, self)) {
    bool capital = is_upper(c) || (is_cased(c) && !is_lower(c));
    if (capital && inside) return Value(false);
    if (!capital && is_lower(c) && !inside) return Value(false);
    inside = is_cased(c);
    any = any || inside;
  }
  return Value(any);
}

Value isidentifier(Render& r, const Value& self, Args& args) {
  Bound(args, "isidentifier", {});
  auto points = points_of(r, self);
  return Value(!points.empty() && (is_alpha(points[0]) || points[0] == '_') && std::all_of(points.begin(), points.end(), is_word));
}

template <char align>
Value pad(Render& r, const Value& self, Args& args) {
  Bound a(args, "ljust", {"width", "fillchar"}, 1);
  std::string fill = a.has(1) ? argument(r, self, a[1]) : " ";
  if (a.has(1) && a[1].text().length != 1) type_error("The fill character must be exactly one character long");
  return same_kind(r, self, pad_text(r, view(self), self.text().length, as_index(a[0]), align, fill));
}

Value zfill(Render& r, const Value& self, Args& args) {
  Bound a(args, "zfill", {"width"}, 1);
  std::string_view s = view(self), sign;
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) sign = s.substr(0, 1);
  auto rest_length = self.text().length - static_cast<int64_t>(sign.size());
  int64_t width = as_index(a[0]);
  return same_kind(
      r, self,
      std::string(sign) + pad_text(r, s.substr(sign.size()), rest_length, width < 1 ? 0 : width - static_cast<int64_t>(sign.size()), '>', "0"));
}

Value expandtabs(Render& r, const Value& self, Args& args) {
  Bound a(args, "expandtabs", {"tabsize"});
  int64_t size = a.integer(0, 8);
  if (size > 1000) throw Fault("LimitError", "expandtabs: tabs of more than 1000 columns");
  std::string out;
  int64_t column = 0;
  for (char c : view(self)) {
    r.heap.step();
    if (c == '\t') {
      int64_t n = size > 0 ? size - column % size : 0;
      out.append(static_cast<size_t>(n), ' ');
      r.heap.expect_room(out.size());
      column += n;
    } else {
      out += c;
      column = c == '\n' || c == '\r' ? 0 : column + ((static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0);
    }
  }
  return same_kind(r, self, std::move(out));
}

Value format(Render& r, const Value& self, Args& args) { return same_kind(r, self, format_braces(r, self, args)); }
Value format_map(Render& r, const Value& self, Args& args) {
  Bound a(args, "format_map", {"mapping"}, 1);
  if (!a[0].is(Kind::dict)) type_error("format_map() takes a mapping");
  Args named;
  for (auto& [key, value] : a[0].dict().items)
    if (key.is_text()) named.named.emplace_back(key.text().bytes, value);
  return same_kind(r, self, format_braces(r, self, named));
}

struct Named {
  std::string_view name;
  Method method;
};
constexpr Named kText[] = {{"strip", strip<0>},
                           {"lstrip", strip<-1>},
                           {"rstrip", strip<1>},
                           {"split", split<false>},
                           {"rsplit", split<true>},
                           {"splitlines", splitlines},
                           {"startswith", starts_or_ends<true>},
                           {"endswith", starts_or_ends<false>},
                           {"replace", replace},
                           {"join", join},
                           {"upper", changed<python_upper>},
                           {"lower", changed<python_lower>},
                           {"title", changed<python_title>},
                           {"capitalize", changed<python_capitalize>},
                           {"casefold", changed<python_casefold>},
                           {"swapcase", changed<python_swapcase>},
                           {"format", format},
                           {"format_map", format_map},
                           {"find", find<false, false>},
                           {"rfind", find<true, false>},
                           {"index", find<false, true>},
                           {"rindex", find<true, true>},
                           {"count", count},
                           {"removeprefix", remove_affix<true>},
                           {"removesuffix", remove_affix<false>},
                           {"partition", partition<false>},
                           {"rpartition", partition<true>},
                           {"isdigit", every<is_digit>},
                           {"isdecimal", every<is_decimal>},
                           {"isnumeric", every<is_numeric>},
                           {"isalpha", every<is_alpha>},
                           {"isalnum", every<is_alnum>},
                           {"isspace", every<is_space>},
                           {"isascii", isascii},
                           {"isprintable", isprintable},
                           {"isupper", is_case<true>},
                           {"islower", is_case<false>},
                           {"istitle", istitle},
                           {"isidentifier", isidentifier},
                           {"ljust", pad<'<'>},
                           {"rjust", pad<'>'>},
                           {"center", pad<'^'>},
                           {"zfill", zfill},
                           {"expandtabs", expandtabs}};

}  // namespace

Method find_text_method(std::string_view name) {
  for (auto& entry : kText)
    if (entry.name == name) return entry.method;
  return nullptr;
}

std::string_view strip_text(std::string_view s, const std::optional<std::string_view>& chars, int side) {
  std::u32string set = chars ? to_code_points(*chars) : std::u32string();
  std::sort(set.begin(), set.end());
  auto drops = [&](char32_t c) { return chars ? std::binary_search(set.begin(), set.end(), c) : is_space(c); };
  if (side <= 0) {
    while (!s.empty()) {
      auto c = decode_utf8(s, 0);
      if (!drops(c.value)) break;
      s.remove_prefix(static_cast<size_t>(c.length));
    }
  }
  if (side >= 0) {
    while (!s.empty()) {
      size_t start = s.size() - 1;
      while (start > 0 && (static_cast<unsigned char>(s[start]) & 0xC0) == 0x80) --start;
      if (!drops(decode_utf8(s, start).value)) break;
      s = s.substr(0, start);
    }
  }
  return s;
}

std::string replace_text(Render& r, std::string_view s, std::string_view old, std::string_view with, int64_t count) {
  r.heap.work(s.size());
  std::string out;
  auto add = [&](std::string_view part) {
    r.heap.work(part.size());
    r.heap.expect_room(out.size() + part.size());
    out += part;
  };
  if (old.empty()) {  // Python puts the new text before every character and at the end
    size_t at = 0;
    for (;;) {
      if (count == 0) break;
      add(with);
      if (count > 0) --count;
      if (at == s.size()) return out;
      auto n = static_cast<size_t>(decode_utf8(s, at).length);
      add(s.substr(at, n));
      at += n;
    }
    add(s.substr(at));
    return out;
  }
  size_t begin = 0;
  for (size_t at = find_text(s, old); at != kNotFound && count != 0; at = find_text(s, old, begin)) {
    add(s.substr(begin, at - begin));
    add(with);
    begin = at + old.size();
    if (count > 0) --count;
  }
  add(s.substr(begin));
  return out;
}

std::vector<std::string_view> split_lines(std::string_view s, bool keep_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t i = 0; i < s.size();) {
    auto c = decode_utf8(s, i);
    auto end = i + static_cast<size_t>(c.length);
    bool breaks =
        (c.value >= 0x0A && c.value <= 0x0D) || (c.value >= 0x1C && c.value <= 0x1E) || c.value == 0x85 || c.value == 0x2028 || c.value == 0x2029;
    if (breaks) {
      if (c.value == '\r' && end < s.size() && s[end] == '\n') ++end;
      lines.push_back(s.substr(begin, (keep_ends ? end : i) - begin));
      begin = end;
    }
    i = end;
  }
  if (begin < s.size()) lines.push_back(s.substr(begin));
  return lines;
}

std::string pad_text(Render& r, std::string_view s, int64_t length, int64_t width, char align, std::string_view fill) {
  if (width <= length) return std::string(s);
  auto missing = static_cast<size_t>(width - length);
  if (missing > r.heap.limits().memory_bytes) throw Fault("LimitError", fmt::format("a field of {} characters", width));
  r.heap.expect_room(missing * fill.size() + s.size());
  r.heap.work(missing * fill.size());
  // Python's str.center gives the odd space to the left only when the width is odd.
  size_t left = align == '<' ? 0 : align == '>' ? missing : missing / 2 + (missing & static_cast<size_t>(width) & 1);
  std::string out;
  for (size_t i = 0; i < left; ++i) out += fill;
  out += s;
  for (size_t i = left; i < missing; ++i) out += fill;
  return out;
}

}  // namespace motley::jinja
