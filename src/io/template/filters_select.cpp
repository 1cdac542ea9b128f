// Filters that work item by item and hand on an iterator: nothing is computed until the items are asked for.
#include <fmt/format.h>

#include "io/template/arguments.h"
#include "io/template/filters.h"
#include "io/template/predicates.h"

namespace motley::jinja::filters {
namespace {

using Test = std::function<bool(const Value&)>;

// What select and its kin ask of each item: a test by name with its arguments, or whether it is true.
Test make_test(Render& r, const Args& args, size_t skip) {
  if (args.positional.size() <= skip) return [](const Value& v) { return truth(v); };
  const Value& name = args.positional[skip];
  const Predicate* predicate = name.is_text() ? find_predicate(view(name)) : nullptr;
  if (!predicate) throw Fault("TemplateRuntimeError", fmt::format("No test named {}.", r.repr(name)));
  Args rest;
  rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(skip) + 1, args.positional.end());
  rest.named = args.named;
  return [&r, predicate, rest](const Value& v) {
    Args copy = rest;
    return predicate->holds(r, v, copy);
  };
}

// A generator: even its arguments are only looked at when the first item is asked for.
Value filtered(Render& r, const Value& input, const Args& args, bool by_attribute, bool wanted) {
  struct State {
    Pull pull;
    Getter get;
    Test test;
  };
  auto state = std::make_shared<std::optional<State>>();
  return r.make_iterator("generator", [&r, input, args, by_attribute, wanted, state](Value& out) mutable {
    if (!*state) {
      if (!truth(input)) return false;
      State s;
      if (by_attribute) {
        if (args.positional.empty()) throw Fault("FilterArgumentError", "Missing parameter for attribute name");
        s.get = attribute_getter(r, args.positional[0]);
      }
      s.test = make_test(r, args, by_attribute ? 1 : 0);
      s.pull = iterate(r.heap, input);
      *state = std::move(s);
    }
    State& s = **state;
    while (s.pull(out))
      if (s.test(s.get ? s.get(out) : out) == wanted) return true;
    return false;
  });
}

Getter make_map(Render& r, Args args) {
  if (args.positional.empty()) {
    std::optional<Value> attribute, otherwise;
    for (auto& [name, value] : args.named) {
      if (name == "attribute")
        attribute = value;
      else if (name == "default")
        otherwise = value;
    }
    if (attribute) {
      for (auto& [name, value] : args.named)
        if (name != "attribute" && name != "default") throw Fault("FilterArgumentError", fmt::format("Unexpected keyword argument '{}'", name));
      if (otherwise && otherwise->is_none()) otherwise.reset();
      return attribute_getter(r, *attribute, otherwise);
    }
    throw Fault("FilterArgumentError", "map requires a filter argument");
  }
  Value name = args.positional[0];
  const Filter* filter = name.is_text() ? find_filter(view(name)) : nullptr;
  if (!filter) throw Fault("TemplateRuntimeError", fmt::format("No filter named {}.", r.repr(name)));
  args.positional.erase(args.positional.begin());
  return [&r, filter, args](const Value& v) {
    Args copy = args;
    return filter->apply(r, v, copy);
  };
}

}  // namespace

Value map(Render& r, const Value& input, Args& args) {
  struct State {
    Pull pull;
    Getter change;
  };
  auto state = std::make_shared<std::optional<State>>();
  return r.make_iterator("generator", [&r, input, args, state](Value& out) {
    if (!*state) {
      if (!truth(input)) return false;
      State s;
      s.change = make_map(r, args);
      s.pull = iterate(r.heap, input);
      *state = std::move(s);
    }
    Value item;
    if (!(*state)->pull(item)) return false;
    out = (*state)->change(item);
    return true;
  });
}

Value select(Render& r, const Value& input, Args& args) { return filtered(r, input, args, false, true); }
Value reject(Render& r, const Value& input, Args& args) { return filtered(r, input, args, false, false); }
Value selectattr(Render& r, const Value& input, Args& args) { return filtered(r, input, args, true, true); }
Value rejectattr(Render& r, const Value& input, Args& args) { return filtered(r, input, args, true, false); }

}  // namespace motley::jinja::filters
