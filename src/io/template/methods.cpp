#include "io/template/methods.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "io/template/arguments.h"

namespace motley::jinja {
namespace {

struct Named {
  std::string_view name;
  Method method;
};

template <size_t N>
Method find_in(const Named (&table)[N], std::string_view name) {
  for (auto& entry : table)
    if (entry.name == name) return entry.method;
  return nullptr;
}

Value dict_get(Render&, const Value& self, Args& args) {
  Bound a(args, "get", {"key", "default"}, 1);
  const Value* found = self.dict().find(a[0]);
  return found ? *found : a.get(1, Value());
}
template <ViewKind what>
Value dict_view(Render& r, const Value& self, Args& args) {
  Bound(args, "dict view", {});
  return Value(r.heap.make<View>(self.dict_pointer(), what));
}
Value copy(Render&, const Value& self, Args& args) {
  Bound(args, "copy", {});
  return self;  // nothing can change it
}
constexpr Named kDict[] = {{"get", dict_get},
                           {"keys", dict_view<ViewKind::keys>},
                           {"values", dict_view<ViewKind::values>},
                           {"items", dict_view<ViewKind::items>},
                           {"copy", copy}};

Value list_count(Render& r, const Value& self, Args& args) {
  Bound a(args, "count", {"value"}, 1);
  int64_t n = 0;
  for (auto& item : self.list().items) {
    r.heap.step();
    n += equal(r.heap, item, a[0]) ? 1 : 0;
  }
  return Value(n);
}
Value list_index(Render& r, const Value& self, Args& args) {
  Bound a(args, "index", {"value", "start", "stop"}, 1);
  auto size = static_cast<int64_t>(self.list().items.size());
  auto place = [&](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size); };
  int64_t stop = place(a.integer(2, size));
  for (int64_t i = place(a.integer(1, 0)); i < stop; ++i) {
    r.heap.step();
    if (equal(r.heap, self.list().items[static_cast<size_t>(i)], a[0])) return Value(i);
  }
  value_error(fmt::format("{} is not in {}", r.repr(a[0]), self.list().tuple ? "tuple" : "list"));
}
constexpr Named kTuple[] = {{"count", list_count}, {"index", list_index}};

Value range_count(Render& r, const Value& self, Args& args) {
  Bound a(args, "count", {"value"}, 1);
  return Value(int64_t{contains(r.heap, self, a[0]) ? 1 : 0});
}
Value range_index(Render& r, const Value& self, Args& args) {
  Bound a(args, "index", {"value"}, 1);
  Pull pull = iterate(r.heap, self);
  Value item;
  for (int64_t i = 0; pull(item); ++i)
    if (equal(r.heap, item, a[0])) return Value(i);
  value_error(fmt::format("{} is not in range", r.repr(a[0])));
}
constexpr Named kRange[] = {{"count", range_count}, {"index", range_index}};

Value int_bit_length(Render&, const Value& self, Args& args) {
  Bound(args, "bit_length", {});
  auto u = self.integer() < 0 ? 0 - static_cast<uint64_t>(self.integer()) : static_cast<uint64_t>(self.integer());
  return Value(static_cast<int64_t>(u == 0 ? 0 : 64 - __builtin_clzll(u)));
}
Value float_is_integer(Render&, const Value& self, Args& args) {
  Bound(args, "is_integer", {});
  return Value(std::isfinite(self.real()) && std::floor(self.real()) == self.real());
}

Value loop_cycle(Render&, const Value& self, Args& args) {
  if (!args.named.empty()) type_error("cycle() takes no keyword arguments");
  if (args.positional.empty()) type_error("no items for cycling given");
  auto* loop = static_cast<Loop*>(self.object());
  return args.positional[static_cast<size_t>(std::max<int64_t>(loop->index0, 0)) % args.positional.size()];
}
Value loop_changed(Render& r, const Value& self, Args& args) {
  if (!args.named.empty()) type_error("changed() takes no keyword arguments");
  auto* loop = static_cast<Loop*>(self.object());
  Value now = r.heap.tuple(args.positional);
  if (loop->changed_value && equal(r.heap, *loop->changed_value, now)) return Value(false);
  loop->changed_value = now;
  return Value(true);
}
Value cycler_next(Render&, const Value& self, Args& args) {
  Bound(args, "next", {});
  auto* cycler = static_cast<Cycler*>(self.object());
  Value item = cycler->items[cycler->position];
  cycler->position = (cycler->position + 1) % cycler->items.size();
  return item;
}
Value cycler_reset(Render&, const Value& self, Args& args) {
  Bound(args, "reset", {});
  static_cast<Cycler*>(self.object())->position = 0;
  return {};
}
Value dict_fromkeys(Render& r, const Value&, Args& args) {
  Bound a(args, "fromkeys", {"iterable", "value"}, 1);
  Dict::Items items;
  for (Value& key : to_vector(r.heap, a[0])) items.emplace_back(std::move(key), a.get(1, Value()));
  return r.heap.dict(std::move(items));
}

}  // namespace

Method find_method(const Value& object, std::string_view name) {
  switch (object.kind()) {
    case Kind::text:
      return find_text_method(name);
    case Kind::dict:
      return find_in(kDict, name);
    case Kind::list:
      return !object.list().tuple && name == "copy" ? copy : find_in(kTuple, name);
    case Kind::boolean:
    case Kind::integer:
      return name == "bit_length" ? int_bit_length : nullptr;
    case Kind::real:
      return name == "is_integer" ? float_is_integer : nullptr;
    case Kind::object:
      break;
    default:
      return nullptr;
  }
  switch (object.object()->kind) {
    case ObjectKind::range:
      return find_in(kRange, name);
    case ObjectKind::loop:
      return name == "cycle" ? loop_cycle : name == "changed" ? loop_changed : nullptr;
    case ObjectKind::cycler:
      return name == "next" ? cycler_next : name == "reset" ? cycler_reset : nullptr;
    case ObjectKind::dict_class:
      return name == "fromkeys" ? dict_fromkeys : nullptr;
    default:
      return nullptr;
  }
}

}  // namespace motley::jinja
