#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "io/template/arguments.h"
#include "io/template/filters.h"
#include "io/template/operators.h"
#include "io/template/unicode.h"

namespace motley::jinja {

namespace {

// Attributes are short; one of megabytes of dots would take many times that in pieces.
std::string_view attribute_text(const Value& v) {
  if (view(v).size() > 1000) throw Fault("LimitError", "an attribute of more than 1000 bytes");
  return view(v);
}

}  // namespace

Value ignore_case(Render& r, const Value& v) {
  if (v.is_text()) r.heap.work(8 * view(v).size()), r.heap.expect_room(8 * view(v).size());
  return v.is_text() ? r.heap.text(python_lower(view(v)), v.text().markup) : v;
}

Getter attribute_getter(Render& r, const Value& attribute, std::optional<Value> otherwise) {
  std::vector<Value> path;
  if (attribute.is_text()) {
    for (auto part : split(attribute_text(attribute), '.')) {
      bool digits = !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
      auto number = digits ? parse_int(part) : std::nullopt;
      path.push_back(number ? Value(*number) : r.text(std::string(part)));
    }
  } else if (!attribute.is_none()) {
    path.push_back(attribute);
  }
  return [&r, path = std::move(path), otherwise = std::move(otherwise)](const Value& item) {
    Value v = item;
    for (auto& part : path) {
      v = r.item(v, part);
      if (otherwise && v.is_undefined()) v = *otherwise;
    }
    return v;
  };
}

namespace filters {
namespace {

using Keyed = std::vector<std::pair<Value, Value>>;  // sort key, item

void sort_by_key(Render& r, Keyed& items, bool reverse) {
  auto before = [&](const auto& a, const auto& b) {
    r.heap.step();
    return reverse ? less(r.heap, b.first, a.first) : less(r.heap, a.first, b.first);
  };
  std::stable_sort(items.begin(), items.end(), before);
}

std::vector<Value> items_of(Keyed& keyed) {
  std::vector<Value> out;
  out.reserve(keyed.size());
  for (auto& [key, item] : keyed) out.push_back(std::move(item));
  return out;
}

Value extreme(Render& r, const Value& input, Args& args, bool largest) {
  Bound a(args, largest ? "max" : "min", {"case_sensitive", "attribute"});
  Pull pull = iterate(r.heap, input);
  Value item, best, best_key;
  if (!pull(best)) return r.heap.undefined("No aggregated item, sequence was empty.");
  Getter get = attribute_getter(r, a.get(1, Value()));
  auto key_of = [&](const Value& v) { return a.flag(0, false) ? get(v) : ignore_case(r, get(v)); };
  best_key = key_of(best);
  while (pull(item)) {
    Value key = key_of(item);
    if (largest ? less(r.heap, best_key, key, ">") : less(r.heap, key, best_key)) best = item, best_key = key;
  }
  return best;
}

}  // namespace

Value attr(Render& r, const Value& input, Args& args) {
  Bound a(args, "attr", {"name"}, 1);
  if (!a[0].is_text()) type_error("attribute name must be string");
  if (input.is_undefined()) return r.attribute(input, view(a[0]));
  // Attributes only, never the keys of a dict.
  if (input.is(Kind::dict) && input.dict().find(view(a[0]))) {
    Value bare = r.heap.dict({});
    return r.attribute(bare, view(a[0]));
  }
  return r.attribute(input, view(a[0]));
}

Value batch(Render& r, const Value& input, Args& args) {
  Bound a(args, "batch", {"linecount", "fill_with"}, 1);
  Value size = a[0];
  Value fill = a.get(1, Value());
  return r.make_iterator("generator", [&r, pull = iterate_later(r.heap, input), size, fill, ahead = std::optional<Value>()](Value& out) mutable {
    std::vector<Value> line;
    Value item;
    if (ahead) line.push_back(*std::exchange(ahead, std::nullopt));
    while (pull(item)) {
      if (equal(r.heap, Value(static_cast<int64_t>(line.size())), size)) {
        ahead = std::move(item);
        out = r.heap.list(std::move(line));
        return true;
      }
      line.push_back(std::move(item));
      if ((line.size() & 1023) == 0) r.heap.expect_room(line.size() * sizeof(Value));
    }
    if (line.empty()) return false;
    if (!fill.is_none()) {
      auto wanted = static_cast<size_t>(std::max<int64_t>(as_index(size), 0));
      if (wanted > line.size()) {
        r.heap.step(static_cast<int64_t>(std::min<size_t>(wanted, INT64_MAX)));
        if (wanted > r.heap.limits().memory_bytes) throw Fault("LimitError", "a batch that large does not fit in memory");
        r.heap.expect_room(wanted * sizeof(Value));
        line.resize(wanted, fill);
      }
    }
    out = r.heap.list(std::move(line));
    return true;
  });
}

Value slices(Render& r, const Value& input, Args& args) {
  Bound a(args, "slice", {"slices", "fill_with"}, 1);
  int64_t count = as_index(a[0]);
  Value fill = a.get(1, Value());
  // Made when first asked for, as Python's generator is.
  return r.make_iterator(
      "generator", [&r, input, count, fill, all = std::optional<std::vector<Value>>(), number = int64_t{0}, offset = int64_t{0}](Value& out) mutable {
        if (!all) all = to_vector(r.heap, input);
        if (count == 0) throw Fault("ZeroDivisionError", "integer division or modulo by zero");
        if (number >= count) return false;
        auto length = static_cast<int64_t>(all->size());
        int64_t each = length / count, extra = length % count;
        int64_t start = offset + number * each;
        if (number < extra) ++offset;
        int64_t end = offset + (number + 1) * each;
        std::vector<Value> part(all->begin() + start, all->begin() + end);
        if (!fill.is_none() && number >= extra) part.push_back(fill);
        ++number;
        out = r.heap.list(std::move(part));
        return true;
      });
}

Value use_default(Render& r, const Value& input, Args& args) {
  Bound a(args, "default", {"default_value", "boolean"});
  if (!input.is_undefined() && !(a.flag(1, false) && !truth(input))) return input;
  return a.has(0) ? a[0] : r.text("");
}

Value dictsort(Render& r, const Value& input, Args& args) {
  Bound a(args, "dictsort", {"case_sensitive", "by", "reverse"});
  if (input.is_undefined()) raise_undefined(input.undefined());
  bool by_key = !a.has(1) || (a[1].is_text() && view(a[1]) == "key");
  if (!by_key && !(a[1].is_text() && view(a[1]) == "value")) throw Fault("FilterArgumentError", "You can only sort by either \"key\" or \"value\"");
  if (!input.is(Kind::dict)) throw Fault("AttributeError", fmt::format("'{}' object has no attribute 'items'", type_name(input)));
  Keyed keyed;
  for (auto& [key, value] : input.dict().items) {
    const Value& by = by_key ? key : value;
    keyed.emplace_back(a.flag(0, false) ? by : ignore_case(r, by), r.heap.tuple({key, value}));
  }
  sort_by_key(r, keyed, a.flag(2, false));
  return r.heap.list(items_of(keyed));
}

Value first(Render& r, const Value& input, Args& args) {
  Bound(args, "first", {});
  Value v;
  return iterate(r.heap, input)(v) ? v : r.heap.undefined("No first item, sequence was empty.");
}

Value last(Render& r, const Value& input, Args& args) {
  Bound(args, "last", {});
  if (input.is_undefined()) return r.heap.undefined("No last item, sequence was empty.");
  auto length = length_of(input);
  bool reversible = length && !as<Loop>(input, ObjectKind::loop);
  if (!reversible) type_error(fmt::format("'{}' object is not reversible", type_name(input)));
  if (*length == 0) return r.heap.undefined("No last item, sequence was empty.");
  if (input.is(Kind::dict)) return input.dict().items.back().first;
  if (as<View>(input, ObjectKind::view)) return to_vector(r.heap, input).back();
  return r.item(input, Value(*length - 1));
}

Value groupby(Render& r, const Value& input, Args& args) {
  Bound a(args, "groupby", {"attribute", "default", "case_sensitive"}, 1);
  std::optional<Value> otherwise = a.given(1) ? std::optional(a[1]) : std::nullopt;
  bool case_sensitive = a.flag(2, false);
  Getter get = attribute_getter(r, a[0], otherwise);
  Keyed keyed;
  for (Value& item : to_vector(r.heap, input)) {
    Value key = get(item);
    keyed.emplace_back(case_sensitive ? key : ignore_case(r, key), std::move(item));
  }
  sort_by_key(r, keyed, false);
  std::vector<Value> groups;
  for (size_t i = 0; i < keyed.size();) {
    size_t end = i;
    std::vector<Value> members;
    while (end < keyed.size() && equal(r.heap, keyed[end].first, keyed[i].first)) {
      r.heap.step();
      members.push_back(keyed[end++].second);
    }
    Value grouper = case_sensitive ? keyed[i].first : get(members[0]);
    groups.push_back(r.heap.group(grouper, r.heap.list(std::move(members))));
    i = end;
  }
  return r.heap.list(std::move(groups));
}

Value items(Render& r, const Value& input, Args& args) {
  Bound(args, "items", {});
  return r.make_iterator("generator", [&r, input, i = size_t{0}](Value& out) mutable {
    if (input.is_undefined()) return false;
    if (!input.is(Kind::dict)) type_error("Can only get item pairs from a mapping.");
    if (i >= input.dict().items.size()) return false;
    auto& [key, value] = input.dict().items[i++];
    out = r.heap.tuple({key, value});
    return true;
  });
}

Value join(Render& r, const Value& input, Args& args) {
  Bound a(args, "join", {"d", "attribute"});
  std::string separator = a.has(0) ? r.str(a[0]) : "";
  Getter get = attribute_getter(r, a.get(1, Value()));
  std::string out;
  Pull pull = iterate(r.heap, input);
  Value item;
  for (bool is_first = true; pull(item); is_first = false) {
    if (!is_first) out += separator;
    out += r.str(get(item));
    r.heap.work(separator.size());
    r.heap.expect_room(out.size());
  }
  return r.text(std::move(out));
}

Value length(Render&, const Value& input, Args& args) {
  Bound(args, "length", {});
  if (auto n = length_of(input)) return Value(*n);
  type_error(fmt::format("object of type '{}' has no len()", type_name(input)));
}

Value list(Render& r, const Value& input, Args& args) {
  Bound(args, "list", {});
  return r.heap.list(to_vector(r.heap, input));
}

Value maximum(Render& r, const Value& input, Args& args) { return extreme(r, input, args, true); }
Value minimum(Render& r, const Value& input, Args& args) { return extreme(r, input, args, false); }

Value reverse(Render& r, const Value& input, Args& args) {
  Bound(args, "reverse", {});
  if (input.is_text()) {
    r.heap.work(4 * view(input).size());
    r.heap.expect_room(4 * view(input).size());
    std::u32string points = to_code_points(view(input));
    std::reverse(points.begin(), points.end());
    return r.heap.text(from_code_points(points), input.text().markup);
  }
  if (!is_iterable(input)) throw Fault("FilterArgumentError", "argument must be iterable");
  std::vector<Value> all = to_vector(r.heap, input);
  std::reverse(all.begin(), all.end());
  // reversed() of a list, dict or range is an iterator; other iterables are made into a list first.
  bool reversible = input.is(Kind::list) || input.is(Kind::dict) || as<Range>(input, ObjectKind::range) || as<View>(input, ObjectKind::view);
  Value reversed = r.heap.list(std::move(all));
  if (!reversible && !input.is_undefined()) return reversed;
  return r.make_iterator("list_reverseiterator", iterate(r.heap, reversed));
}

Value sort(Render& r, const Value& input, Args& args) {
  Bound a(args, "sort", {"reverse", "case_sensitive", "attribute"});
  bool case_sensitive = a.flag(1, false);
  // Several attributes, comma between them, sort by the first that differs.
  std::vector<Getter> getters;
  if (a.has(2) && a[2].is_text()) {
    for (auto part : split(attribute_text(a[2]), ',')) getters.push_back(attribute_getter(r, r.text(std::string(part))));
  } else {
    getters.push_back(attribute_getter(r, a.get(2, Value())));
  }
  Keyed keyed;
  for (Value& item : to_vector(r.heap, input)) {
    std::vector<Value> key;
    for (auto& get : getters) key.push_back(case_sensitive ? get(item) : ignore_case(r, get(item)));
    Value whole = r.heap.list(std::move(key));
    keyed.emplace_back(std::move(whole), std::move(item));
  }
  sort_by_key(r, keyed, a.flag(0, false));
  return r.heap.list(items_of(keyed));
}

Value sum(Render& r, const Value& input, Args& args) {
  Bound a(args, "sum", {"attribute", "start"});
  Value total = a.get(1, Value(int64_t{0}));
  if (total.is_text()) type_error("sum() can't sum strings [use ''.join(seq) instead]");
  Getter get = attribute_getter(r, a.get(0, Value()));
  Pull pull = iterate(r.heap, input);
  Value item;
  while (pull(item)) total = add(r, total, get(item));
  return total;
}

Value unique(Render& r, const Value& input, Args& args) {
  Bound a(args, "unique", {"case_sensitive", "attribute"});
  bool case_sensitive = a.flag(0, false);
  auto seen = std::make_shared<std::unordered_multimap<size_t, Value>>();
  return r.make_iterator("generator",
                         [&r, pull = iterate_later(r.heap, input), get = attribute_getter(r, a.get(1, Value())), case_sensitive, seen](Value& out) {
                           while (pull(out)) {
                             Value key = case_sensitive ? get(out) : ignore_case(r, get(out));
                             size_t hash = hash_of(r.heap, key);
                             auto [begin, end] = seen->equal_range(hash);
                             bool known = false;
                             for (auto it = begin; it != end && !known; ++it) {
                               r.heap.step();
                               known = equal(r.heap, it->second, key);
                             }
                             if (known) continue;
                             r.heap.add_memory(64);
                             seen->emplace(hash, key);
                             return true;
                           }
                           return false;
                         });
}

}  // namespace filters
}  // namespace motley::jinja
