// Attributes and subscripts: x.name, x['name'], x[1:2]. Nothing of the program itself can be reached from here: a value has the few
// attributes listed below and, if it is a dict or a namespace, its own; what Python's sandbox forbids reads as an undefined that raises a
// SecurityError when it is used.
#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "io/template/arguments.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/template/render.h"
#include "io/template/unicode.h"

namespace motley::jinja {
namespace {

std::string described(const Value& v) {  // as Jinja names an object in messages
  if (v.is_none()) return "None";
  return type_name(v) + " object";
}

bool in(std::string_view name, std::initializer_list<std::string_view> names) { return std::find(names.begin(), names.end(), name) != names.end(); }

// Names that Python's own objects have and the sandbox refuses: internals, and methods that change a value.
bool is_unsafe(const Value& v, std::string_view name) {
  if (name.starts_with("__") && name.ends_with("__"))
    return in(name, {"__class__",
                     "__doc__",
                     "__dir__",
                     "__init__",
                     "__new__",
                     "__repr__",
                     "__str__",
                     "__hash__",
                     "__eq__",
                     "__ne__",
                     "__lt__",
                     "__le__",
                     "__gt__",
                     "__ge__",
                     "__reduce__",
                     "__reduce_ex__",
                     "__getattribute__",
                     "__setattr__",
                     "__delattr__",
                     "__sizeof__",
                     "__format__",
                     "__subclasshook__",
                     "__init_subclass__",
                     "__getstate__"}) ||
           (!v.is_none() && !v.is_number() && in(name, {"__len__", "__iter__", "__getitem__", "__contains__"})) ||
           (v.is(Kind::object) && in(name, {"__globals__", "__code__", "__closure__", "__func__", "__self__", "__module__", "__dict__", "__call__"}));
  if (v.is(Kind::list) && !v.list().tuple) return in(name, {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"});
  if (v.is(Kind::dict)) return in(name, {"clear", "pop", "popitem", "setdefault", "update"});
  return false;
}

Value unsafe(Render& r, const Value& v, std::string_view name) {
  return r.heap.undefined(fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(v)), true);
}

std::optional<Value> loop_attribute(Render& r, Loop& loop, std::string_view name) {
  if (name == "index") return Value(loop.index0 + 1);
  if (name == "index0") return Value(loop.index0);
  if (name == "first") return Value(loop.index0 == 0);
  if (name == "last") return Value(!loop.peek());
  if (name == "length") return Value(loop.length(r.heap));
  if (name == "revindex") return Value(loop.length(r.heap) - loop.index0);
  if (name == "revindex0") return Value(loop.length(r.heap) - loop.index0 - 1);
  if (name == "depth") return Value(loop.depth0 + 1);
  if (name == "depth0") return Value(loop.depth0);
  if (name == "previtem") return loop.index0 > 0 && loop.before ? *loop.before : r.heap.undefined("there is no previous item");
  if (name == "nextitem") return loop.peek() ? *loop.after : r.heap.undefined("there is no next item");
  return std::nullopt;
}

std::optional<Value> macro_attribute(Render& r, const Macro& macro, std::string_view name) {
  const MacroStmt& m = *macro.definition;
  if (name == "name") return m.name >= 0 ? r.text(r.name_of(m.name)) : Value();
  if (name == "catch_kwargs") return Value(m.takes_kwargs);
  if (name == "catch_varargs") return Value(m.takes_varargs);
  if (name == "caller") return Value(m.takes_caller);
  if (name == "arguments") {
    std::vector<Value> names;
    for (int p : m.parameters) names.push_back(r.text(r.name_of(p)));
    return r.heap.tuple(std::move(names));
  }
  return std::nullopt;
}

// What getattr() finds, methods aside.
std::optional<Value> plain_attribute(Render& r, const Value& v, std::string_view name) {
  switch (v.kind()) {
    case Kind::boolean:
    case Kind::integer:
      if (name == "real" || name == "numerator") return Value(v.integer());
      if (name == "imag") return Value(int64_t{0});
      if (name == "denominator") return Value(int64_t{1});
      return std::nullopt;
    case Kind::real:
      if (name == "real") return v;
      if (name == "imag") return Value(0.0);
      return std::nullopt;
    case Kind::list:
      if (v.list().group && name == "grouper") return v.list().items[0];
      if (v.list().group && name == "list") return v.list().items[1];
      return std::nullopt;
    case Kind::object:
      break;
    default:
      return std::nullopt;
  }
  switch (v.object()->kind) {
    case ObjectKind::name_space:
      for (auto& [key, value] : static_cast<Namespace*>(v.object())->attributes) {
        r.heap.step();
        if (key == name) return value;
      }
      return std::nullopt;
    case ObjectKind::loop:
      return loop_attribute(r, *static_cast<Loop*>(v.object()), name);
    case ObjectKind::macro:
      return macro_attribute(r, *static_cast<Macro*>(v.object()), name);
    case ObjectKind::cycler: {
      auto& c = *static_cast<Cycler*>(v.object());
      if (name == "current") return c.items[c.position];
      if (name == "pos") return Value(static_cast<int64_t>(c.position));
      if (name == "items") return r.heap.tuple(c.items);
      return std::nullopt;
    }
    case ObjectKind::joiner: {
      auto& j = *static_cast<Joiner*>(v.object());
      if (name == "sep") return j.separator;
      if (name == "used") return Value(j.used);
      return std::nullopt;
    }
    case ObjectKind::range: {
      auto& range = *static_cast<Range*>(v.object());
      if (name == "start") return Value(range.start);
      if (name == "stop") return Value(range.stop);
      if (name == "step") return Value(range.step);
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

// getattr(), or nothing when there is no such attribute.
std::optional<Value> python_attribute(Render& r, const Value& v, std::string_view name) {
  if (is_unsafe(v, name)) return unsafe(r, v, name);
  if (auto found = plain_attribute(r, v, name)) return found;
  if (Method method = find_method(v, name)) {
    return r.make_function(std::string(name), [method, v](Render& render, Args& args) { return method(render, v, args); });
  }
  return std::nullopt;
}

Value text_at(Render& r, const Value& v, int64_t index) {
  std::string_view s = view(v);
  if (v.text().ascii()) return r.heap.text(std::string(1, s[static_cast<size_t>(index)]), v.text().markup);
  r.heap.work(s.size());
  size_t from = byte_of_code_point(s, index);
  size_t to = from + byte_of_code_point(s.substr(from), 1);
  return r.heap.text(std::string(s.substr(from, to - from)), v.text().markup);
}

// object[index], or nothing where Python raises a LookupError or TypeError.
std::optional<Value> subscript(Render& r, const Value& v, const Value& index) {
  if (v.is(Kind::dict)) {
    if (index.is(Kind::dict) || (index.is(Kind::list) && !index.list().tuple)) return std::nullopt;
    const Value* found = v.dict().find(index);
    return found ? std::optional(*found) : std::nullopt;
  }
  auto length = length_of(v);
  auto* range = as<Range>(v, ObjectKind::range);
  bool sequence = v.is_text() || v.is(Kind::list) || range;
  if (!sequence || !index.is_integral()) return std::nullopt;
  int64_t i = index.integer();
  if (i < 0) i += *length;
  if (i < 0 || i >= *length) return std::nullopt;
  if (v.is_text()) return text_at(r, v, i);
  if (range) return Value(range->start + i * range->step);
  return v.list().items[static_cast<size_t>(i)];
}

}  // namespace

Value Render::attribute(const Value& object, std::string_view name) {
  heap.step();
  // Even of an undefined value Python knows the class, which the sandbox then hides.
  if (object.is_undefined() && is_unsafe(object, name)) return unsafe(*this, object, name);
  if (object.is_undefined()) raise_undefined(object.undefined());
  if (auto found = python_attribute(*this, object, name)) return *found;
  if (object.is(Kind::dict))
    if (const Value* found = object.dict().find(name)) return *found;
  return heap.undefined(fmt::format("'{}' has no attribute '{}'", described(object), name));
}

Value Render::item(const Value& object, const Value& index) {
  heap.step();
  if (object.is_undefined()) raise_undefined(object.undefined());
  if (auto found = subscript(*this, object, index)) return *found;
  if (index.is_text()) {
    if (auto found = python_attribute(*this, object, view(index))) return *found;
    return heap.undefined(fmt::format("'{}' has no attribute '{}'", described(object), view(index)));
  }
  return heap.undefined(fmt::format("{} has no element {}", described(object), repr(index)));
}

Value Render::slice(const Value& object, const std::optional<Value>& start, const std::optional<Value>& stop, const std::optional<Value>& step) {
  if (object.is_undefined()) raise_undefined(object.undefined());
  auto* range = as<Range>(object, ObjectKind::range);
  bool sequence = object.is_text() || object.is(Kind::list) || range;
  auto bad = [](const std::optional<Value>& v) { return v && !v->is_none() && !v->is_integral(); };
  if (object.is(Kind::dict)) type_error("unhashable type: 'slice'");
  if (!sequence) type_error(fmt::format("'{}' object is not subscriptable", type_name(object)));
  if (bad(start) || bad(stop) || bad(step)) type_error("slice indices must be integers or None or have an __index__ method");
  int64_t stride = step && !step->is_none() ? step->integer() : 1;
  if (stride == 0) value_error("slice step cannot be zero");
  int64_t length = *length_of(object);
  auto place = [&](const std::optional<Value>& v, int64_t otherwise) {
    if (!v || v->is_none()) return otherwise;
    int64_t i = v->integer();
    if (i < 0) i = i < -length ? -1 : i + length;
    if (i < 0) return stride < 0 ? int64_t{-1} : int64_t{0};
    return std::min(i, stride < 0 ? length - 1 : length);
  };
  int64_t from = place(start, stride < 0 ? length - 1 : 0);
  int64_t to = place(stop, stride < 0 ? -1 : length);
  if (range) {
    auto at = [&](int64_t i) {
      auto offset = checked_mul(i, range->step);
      auto place_at = offset ? checked_add(range->start, *offset) : std::nullopt;
      if (!place_at) throw Fault("OverflowError", "the slice of a range does not fit in 64-bit integers");
      return *place_at;
    };
    auto scaled = checked_mul(range->step, stride);
    if (!scaled) throw Fault("OverflowError", "the slice of a range does not fit in 64-bit integers");
    return Value(heap.make<Range>(at(from), at(to), *scaled));
  }
  int64_t count = Range(from, to, stride).length();
  if (object.is_text()) {
    std::string_view s = view(object);
    heap.work(s.size());
    if (stride != 1) heap.expect_room(8 * s.size());
    bool markup = object.text().markup;
    if (count == 0) return heap.text("", markup);
    if (stride == 1) {
      size_t first = object.text().ascii() ? static_cast<size_t>(from) : byte_of_code_point(s, from);
      size_t bytes = object.text().ascii() ? static_cast<size_t>(count) : byte_of_code_point(s.substr(first), count);
      return heap.text(std::string(s.substr(first, bytes)), markup);
    }
    std::u32string points = to_code_points(s), picked;
    for (int64_t k = 0; k < count; ++k) picked += points[static_cast<size_t>(from + k * stride)];
    return heap.text(from_code_points(picked), markup);
  }
  std::vector<Value> picked;
  picked.reserve(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) picked.push_back(object.list().items[static_cast<size_t>(from + k * stride)]);
  return object.list().tuple ? heap.tuple(std::move(picked)) : heap.list(std::move(picked));
}

}  // namespace motley::jinja
