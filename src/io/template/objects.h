// The values that have identity or change while a template runs; see Object in value.h.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/template/value.h"

namespace motley::jinja {

struct MacroStmt;
struct Scope;
class Render;

// The arguments of a call, after *args and **kwargs were spread.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};
using Callable = std::function<Value(Render&, Args&)>;

struct Namespace : Object {
  Namespace() : Object(ObjectKind::name_space) {}
  std::vector<std::pair<std::string, Value>> attributes;
};

struct Function : Object {
  Function(std::string n, Callable f) : Object(ObjectKind::function), name(std::move(n)), call(std::move(f)) {}
  std::string name;
  Callable call;
};

// A macro, or the body of a call block (then it is what the macro knows as `caller`).
struct Macro : Object {
  Macro(const MacroStmt* d, std::shared_ptr<Scope> s) : Object(ObjectKind::macro), definition(d), closure(std::move(s)) {}
  const MacroStmt* definition;
  std::shared_ptr<Scope> closure;
};

// What filters like map and select give: items made when asked for, once.
struct Iterator : Object {
  Iterator(std::string_view name, std::function<bool(Value&)> f) : Object(ObjectKind::iterator), type(name), pull(std::move(f)) {}
  std::string_view type;
  std::function<bool(Value&)> pull;
  bool running = false;
};

// Held while an iterator makes an item: one that is asked for another meanwhile, by way of a namespace it can see, is an error as in Python.
class Running {
 public:
  explicit Running(bool& flag) : flag_(flag) {
    if (flag_) value_error("generator already executing");
    flag_ = true;
  }
  ~Running() { flag_ = false; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  bool& flag_;
};

struct ForStmt;
struct Loop : Object {
  Loop() : Object(ObjectKind::loop) {}
  std::function<bool(Value&)> pull;
  bool running = false;
  std::optional<int64_t> known_length;
  std::optional<Value> before, current, after, changed_value;
  int64_t index0 = -1;
  int64_t depth0 = 0;
  const ForStmt* recursive = nullptr;  // the loop that loop(...) runs again
  std::shared_ptr<Scope> outer;
  bool next(Value& out);  // advances; false at the end
  bool peek();            // whether another item follows
  int64_t length(Heap& heap);
};

struct Cycler : Object {
  Cycler() : Object(ObjectKind::cycler) {}
  std::vector<Value> items;
  size_t position = 0;
};

struct Joiner : Object {
  explicit Joiner(Value s) : Object(ObjectKind::joiner), separator(std::move(s)) {}
  Value separator;
  bool used = false;
};

struct Range : Object {
  Range(int64_t a, int64_t b, int64_t c) : Object(ObjectKind::range), start(a), stop(b), step(c) {}
  int64_t start, stop, step;
  int64_t length() const;
};

// dict.keys(), dict.values() and dict.items().
enum class ViewKind : uint8_t { keys, values, items };
struct View : Object {
  View(std::shared_ptr<const Dict> d, ViewKind w) : Object(ObjectKind::view), dict(std::move(d)), what(w) {}
  std::shared_ptr<const Dict> dict;
  ViewKind what;
};

struct DictClass : Object {
  DictClass() : Object(ObjectKind::dict_class) {}
};

template <class T>
T* as(const Value& v, ObjectKind kind) {
  return v.is(Kind::object) && v.object()->kind == kind ? static_cast<T*>(v.object()) : nullptr;
}

// Iteration as Python does it: text by code point, dicts by key. Fault when v cannot be iterated.
using Pull = std::function<bool(Value&)>;
Pull iterate(Heap& heap, const Value& v);
// The same, but v is only looked at when the first item is asked for, as a Python generator does.
Pull iterate_later(Heap& heap, const Value& v);
bool is_iterable(const Value& v);
std::vector<Value> to_vector(Heap& heap, const Value& v);
// len(v), or nothing where Python raises TypeError.
std::optional<int64_t> length_of(const Value& v);
bool contains(Heap& heap, const Value& container, const Value& item);  // item in container

}  // namespace motley::jinja
