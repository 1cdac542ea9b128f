#include <fmt/format.h>

#include "io/template/arguments.h"
#include "io/template/print.h"
#include "io/template/render.h"

namespace motley::jinja {

bool Loop::peek() {
  if (after) return true;
  Running guard(running);
  Value v;
  if (!pull || !pull(v)) return false;
  after = std::move(v);
  return true;
}

bool Loop::next(Value& out) {
  if (after) {
    out = std::move(*after);
    after.reset();
  } else {
    Running guard(running);
    if (!pull || !pull(out)) return false;
  }
  ++index0;
  before = std::move(current);
  current = out;
  return true;
}

// Unknown for filtered items: the rest is taken now and handed out from a list.
int64_t Loop::length(Heap& heap) {
  if (known_length) return *known_length;
  std::vector<Value> rest;
  {
    Running guard(running);
    Value item;
    while (pull && pull(item)) {
      heap.step();
      rest.push_back(std::move(item));
    }
  }
  known_length = static_cast<int64_t>(rest.size()) + index0 + 1 + (after ? 1 : 0);
  pull = iterate(heap, heap.list(std::move(rest)));
  return *known_length;
}

Value Render::call(const Value& callee, Args& args) {
  Heap::Deeper deeper(heap);
  heap.step();
  if (callee.is_undefined()) raise_undefined(callee.undefined());
  if (!callee.is(Kind::object)) type_error(fmt::format("'{}' object is not callable", type_name(callee)));
  return call_object(*callee.object(), args);
}

Value Render::call_object(Object& object, Args& args) {
  switch (object.kind) {
    case ObjectKind::function:
      return static_cast<Function&>(object).call(*this, args);
    case ObjectKind::macro:
      return call_macro(static_cast<Macro&>(object), args);
    case ObjectKind::loop:
      return call_loop(static_cast<Loop&>(object), args);
    case ObjectKind::joiner: {
      Bound(args, "joiner", {});
      auto& joiner = static_cast<Joiner&>(object);
      return std::exchange(joiner.used, true) ? joiner.separator : text("");
    }
    case ObjectKind::dict_class:
      return dict_from_args(*this, args);
    default:
      type_error(fmt::format("'{}' object is not callable", type_name(Value(&object))));
  }
}

Value Render::call_loop(Loop& loop, Args& args) {
  Bound bound(args, "loop", {"iterable"}, 1);
  if (!loop.recursive) type_error("The loop must have the 'recursive' marker to be called recursively.");
  std::string captured;
  std::string* outside = std::exchange(out_, &captured);
  struct Restore {
    std::string*& place;
    std::string* value;
    ~Restore() { place = value; }
  } restore{out_, outside};
  run_for(*loop.recursive, bound[0], loop.outer, loop.depth0 + 1);
  return text(std::move(captured));
}

// As Jinja's Macro.__call__: positional arguments, then keywords, then defaults; caller, varargs and kwargs only when the body names them.
Value Render::call_macro(Macro& macro, Args& args) {
  const MacroStmt& m = *macro.definition;
  std::string name = m.name >= 0 ? syntax_.names[static_cast<size_t>(m.name)] : "caller";
  size_t count = m.parameters.size();
  std::vector<std::optional<Value>> given(count);
  for (size_t i = 0; i < count && i < args.positional.size(); ++i) given[i] = args.positional[i];
  auto take = [&](std::string_view key) {
    std::optional<Value> found;
    for (auto it = args.named.begin(); it != args.named.end(); ++it) {
      heap.step();
      if (it->first != key) continue;
      found = std::move(it->second);
      args.named.erase(it);
      break;
    }
    return found;
  };
  bool found_caller = args.positional.size() >= count && m.explicit_caller;
  for (size_t i = args.positional.size(); i < count; ++i) {
    const std::string& parameter = syntax_.names[static_cast<size_t>(m.parameters[i])];
    given[i] = take(parameter);
    if (parameter == "caller") found_caller = true;
  }
  std::optional<Value> caller;
  if (m.takes_caller && !found_caller) {
    caller = take("caller");
    if (!caller || caller->is_none()) caller = heap.undefined("No caller defined");
  }
  if (!m.takes_kwargs && !args.named.empty()) {
    for (auto& [key, value] : args.named)
      if (key == "caller")
        type_error(fmt::format("macro '{}' was invoked with two values for the special caller argument. This is most likely a bug.", name));
    type_error(fmt::format("macro '{}' takes no keyword argument '{}'", name, args.named[0].first));
  }
  if (!m.takes_varargs && args.positional.size() > count) type_error(fmt::format("macro '{}' takes not more than {} argument(s)", name, count));

  ScopePtr scope = enter(m.plan, macro.closure);
  auto set = [&](int id, Value v) { *scope->find(id) = std::move(v); };
  for (auto& [id, slot] : scope->names) {
    const std::string& special = syntax_.names[static_cast<size_t>(id)];
    if (m.takes_caller && !found_caller && special == "caller") slot = caller;
    if (m.takes_kwargs && special == "kwargs") {
      Dict::Items items;
      for (auto& [key, value] : args.named) items.emplace_back(text(key), value);
      slot = heap.dict(std::move(items));
    }
    if (m.takes_varargs && special == "varargs") {
      std::vector<Value> rest;
      for (size_t i = count; i < args.positional.size(); ++i) rest.push_back(args.positional[i]);
      slot = heap.tuple(std::move(rest));
    }
  }
  for (size_t i = 0; i < count; ++i)
    if (given[i]) set(m.parameters[i], std::move(*given[i]));
  size_t first_default = count - m.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    if (*scope->find(m.parameters[i])) continue;
    if (i >= first_default)
      set(m.parameters[i], eval(*m.defaults[i - first_default], scope));
    else
      set(m.parameters[i], heap.undefined(fmt::format("parameter '{}' was not provided", syntax_.names[static_cast<size_t>(m.parameters[i])])));
  }
  std::string captured;
  run_captured(m.body, scope, captured);
  return text(std::move(captured));
}

}  // namespace motley::jinja
