#include "io/template/globals.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "io/template/arguments.h"

namespace motley::jinja {
namespace {

constexpr int64_t kMaxRange = 100'000;  // as Jinja's sandbox

Value make_range(Render& r, Args& args) {
  Bound a(args, "range", {"start", "stop", "step"}, 1);
  int64_t start = a.has(1) ? a.integer(0, 0) : 0;
  int64_t stop = a.has(1) ? a.integer(1, 0) : a.integer(0, 0);
  int64_t step = a.integer(2, 1);
  if (step == 0) value_error("range() arg 3 must not be zero");
  if (step == INT64_MIN) throw Fault("OverflowError", "range() arg 3 is too large");
  Range probe(start, stop, step);
  if (probe.length() > kMaxRange)
    throw Fault("OverflowError", fmt::format("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kMaxRange));
  return Value(r.heap.make<Range>(start, stop, step));
}

Value make_namespace(Render& r, Args& args) {
  Value attributes = dict_from_args(r, args);
  auto* space = r.heap.make<Namespace>();
  for (auto& [key, value] : attributes.dict().items)
    set_namespace_attribute(r.heap, *space, key.is_text() ? view(key) : std::string_view(r.str(key)), value);
  return Value(space);
}

Value make_cycler(Render& r, Args& args) {
  if (!args.named.empty()) type_error("cycler() takes no keyword arguments");
  if (args.positional.empty()) throw Fault("RuntimeError", "at least one item has to be provided");
  auto* cycler = r.heap.make<Cycler>();
  cycler->items = args.positional;
  r.heap.add_memory(cycler->items.size() * sizeof(Value));
  return Value(cycler);
}

Value make_joiner(Render& r, Args& args) {
  Bound a(args, "joiner", {"sep"});
  return Value(r.heap.make<Joiner>(a.has(0) ? a[0] : r.text(", ")));
}

Value raise_exception(Render& r, Args& args) {
  Bound a(args, "raise_exception", {"message"}, 1);
  throw Fault("TemplateError", r.str(a[0]));
}

Value strftime_now(Render& r, Args& args) {
  Bound a(args, "strftime_now", {"format"}, 1);
  if (!a[0].is_text()) type_error(fmt::format("strftime() argument 1 must be str, not {}", type_name(a[0])));
  std::tm now{};
  if (r.surroundings().now) {
    now = *r.surroundings().now;
  } else {
    std::time_t t = std::time(nullptr);
    localtime_r(&t, &now);
  }
  std::string format;
  std::string_view asked = view(a[0]);
  if (asked.size() > 1000 || asked.find('\0') != asked.npos) value_error("strftime format longer than 1000 bytes or with a NUL");
  for (size_t i = 0; i < asked.size(); ++i) {
    if (asked[i] != '%' || i + 1 == asked.size()) {
      format += asked[i];
    } else if (asked[++i] == 'f') {
      format += "000000";  // microseconds, which std::tm does not have
    } else {
      format += '%';
      format += asked[i];
    }
  }
  format += '|';  // so that an empty result can be told from one that did not fit
  std::array<char, 8192> out{};
  size_t n = std::strftime(out.data(), out.size(), format.c_str(), &now);
  if (n == 0) value_error("strftime: the date takes more than 8000 bytes");
  return r.text(std::string(out.data(), n - 1));
}

}  // namespace

void set_namespace_attribute(Heap& heap, Namespace& space, std::string_view name, const Value& value) {
  if (name.starts_with('_'))
    throw Fault(
        "SecurityError",
        fmt::format("Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{}'. Please rename the attribute.", name));
  for (auto& [key, old] : space.attributes) {
    heap.step();
    if (key == name) {
      old = value;
      return;
    }
  }
  heap.add_memory(sizeof(Value) + 32 + name.size());
  space.attributes.emplace_back(std::string(name), value);
}

Dict::Items global_names(Render& r) {
  Dict::Items names;
  auto add = [&](const char* name, Value (*f)(Render&, Args&)) { names.emplace_back(r.text(name), r.make_function(name, f)); };
  add("range", make_range);
  add("namespace", make_namespace);
  add("cycler", make_cycler);
  add("joiner", make_joiner);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
  names.emplace_back(r.text("dict"), Value(r.heap.make<DictClass>()));
  return names;
}

}  // namespace motley::jinja
