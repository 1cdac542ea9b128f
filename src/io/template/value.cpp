#include "io/template/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/text.h"
#include "io/template/objects.h"
#include "io/template/unicode.h"

namespace motley::jinja {
namespace {

// Deeper containers than this come from loops that wrap a value in itself; no chat needs them.
constexpr int kMaxContainerDepth = 200;
constexpr size_t kLinearDict = 8;

size_t mix(size_t a, size_t b) { return (a ^ (b + 0x9E3779B97F4A7C15ull + (a << 6) + (a >> 2))) * 0xBF58476D1CE4E5B9ull; }

// Compares an integer with a double exactly: a 64-bit integer need not fit a double.
int compare_mixed(int64_t i, double d) {
  if (d >= 9223372036854775808.0) return -1;
  if (d < -9223372036854775808.0) return 1;
  auto whole = static_cast<int64_t>(d);
  if (i != whole) return i < whole ? -1 : 1;
  double fraction = d - static_cast<double>(whole);
  return fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
}

// -1, 0, 1, or 2 when one is not a number.
int compare_numbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return a.integer() < b.integer() ? -1 : a.integer() > b.integer();
  if ((a.is(Kind::real) && std::isnan(a.real())) || (b.is(Kind::real) && std::isnan(b.real()))) return 2;
  if (a.is_integral()) return compare_mixed(a.integer(), b.real());
  if (b.is_integral()) return -compare_mixed(b.integer(), a.real());
  return a.real() < b.real() ? -1 : a.real() > b.real();
}

}  // namespace

const void* Value::identity() const {
  switch (kind()) {
    case Kind::undefined:
      return &undefined();
    case Kind::text:
      return &text();
    case Kind::list:
      return &list();
    case Kind::dict:
      return &dict();
    case Kind::object:
      return object();
    default:
      return nullptr;
  }
}

Charge::Charge(Heap* heap, size_t bytes) : heap_(heap), bytes_(bytes) {
  if (heap_) heap_->add_memory(bytes_);
}
Charge::~Charge() {
  if (heap_) heap_->return_memory(bytes_);
}

Text::Text(Heap* heap, std::string s, bool is_markup)
    : bytes(std::move(s)), markup(is_markup), length(count_code_points(bytes)), charge(heap, 112 + (bytes.capacity() > 15 ? bytes.capacity() : 0)) {}

Dict::Dict(Heap* heap, Items pairs, int nesting)
    : items(std::move(pairs)),
      depth(nesting),
      heap_(heap),
      charge_(heap, 96 + items.size() * (sizeof(Items::value_type) + (items.size() > kLinearDict ? 40 : 0))) {
  if (items.size() <= kLinearDict) return;
  index_.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) index_.emplace(hash_of(*heap_, items[i].first), static_cast<uint32_t>(i));
}

const Value* Dict::find(const Value& key) const {
  size_t hash = hash_of(*heap_, key);  // also refuses unhashable keys
  if (index_.empty()) {
    for (auto& [k, v] : items)
      if (equal(*heap_, k, key)) return &v;
    return nullptr;
  }
  auto [begin, end] = index_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    heap_->step();  // keys chosen to collide must not make a lookup free
    if (equal(*heap_, items[it->second].first, key)) return &items[it->second].second;
  }
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  if (index_.empty()) {
    for (auto& [k, v] : items)
      if (k.is_text() && k.text().bytes == key) return &v;
    return nullptr;
  }
  auto [begin, end] = index_.equal_range(std::hash<std::string_view>{}(key));
  for (auto it = begin; it != end; ++it) {
    heap_->step();
    const Value& k = items[it->second].first;
    if (k.is_text() && k.text().bytes == key) return &items[it->second].second;
  }
  return nullptr;
}

Heap::~Heap() {
  // Objects only hold counted values and plain pointers to one another, so any order of destruction is safe and none recurses.
  objects_.clear();
}

Value Heap::text(std::string s, bool markup) {
  work(s.size());
  return Value(std::make_shared<const Text>(this, std::move(s), markup));
}

int Heap::nesting_of(const Value& v) const { return v.is(Kind::list) ? v.list().depth : v.is(Kind::dict) ? v.dict().depth : 0; }

Value Heap::sequence(std::vector<Value> items, bool tuple) {
  int deepest = 0;
  for (auto& item : items) deepest = std::max(deepest, nesting_of(item));
  if (deepest >= kMaxContainerDepth) throw Fault("RecursionError", fmt::format("lists nested deeper than {}", kMaxContainerDepth));
  step(static_cast<int64_t>(items.size()) / 4);
  return Value(std::make_shared<const List>(this, std::move(items), tuple, deepest + 1));
}

Value Heap::group(Value grouper, Value members) {
  int nesting = 1 + std::max(nesting_of(grouper), nesting_of(members));
  if (nesting > kMaxContainerDepth) throw Fault("RecursionError", fmt::format("lists nested deeper than {}", kMaxContainerDepth));
  auto pair = std::make_shared<List>(this, std::vector<Value>{std::move(grouper), std::move(members)}, true, nesting);
  pair->group = true;
  return Value(std::shared_ptr<const List>(std::move(pair)));
}

Value Heap::dict(Dict::Items items) {
  int deepest = 0;
  step(static_cast<int64_t>(items.size()));
  Dict::Items unique;
  unique.reserve(items.size());
  std::unordered_multimap<size_t, size_t> seen;
  for (auto& [key, value] : items) {
    size_t hash = hash_of(*this, key);
    deepest = std::max({deepest, nesting_of(key), nesting_of(value)});
    size_t* place = nullptr;
    auto [begin, end] = seen.equal_range(hash);
    for (auto it = begin; it != end && !place; ++it) {
      step();
      if (equal(*this, unique[it->second].first, key)) place = &it->second;
    }
    if (place) {
      unique[*place].second = std::move(value);
    } else {
      seen.emplace(hash, unique.size());
      unique.emplace_back(std::move(key), std::move(value));
    }
  }
  if (deepest >= kMaxContainerDepth) throw Fault("RecursionError", fmt::format("dicts nested deeper than {}", kMaxContainerDepth));
  return Value(std::make_shared<const Dict>(this, std::move(unique), deepest + 1));
}

Value Heap::undefined(std::string message, bool security) {
  constexpr size_t kLongest = 300;  // it may hold a name that the template made up
  if (message.size() > kLongest) message.resize(complete_utf8_prefix(std::string_view(message).substr(0, kLongest)));
  return Value(std::make_shared<const Undefined>(Undefined{std::move(message), security}));
}

void Heap::add_memory(size_t bytes) {
  if (bytes > limits_.memory_bytes - memory_) out_of_memory();
  memory_ += bytes;
}

void Heap::expect_room(size_t bytes) const {
  if (bytes > limits_.memory_bytes - memory_) out_of_memory();
}

void Heap::out_of_steps() {
  steps_left_ = 0;
  throw Fault("LimitError", fmt::format("the template took more than {} steps", limits_.steps));
}

void Heap::out_of_memory() const { throw Fault("LimitError", fmt::format("the template's values take more than {} bytes", limits_.memory_bytes)); }

bool truth(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
      return false;
    case Kind::none:
      return false;
    case Kind::boolean:
      return v.boolean();
    case Kind::integer:
      return v.integer() != 0;
    case Kind::real:
      return v.real() != 0;
    case Kind::text:
      return !v.text().bytes.empty();
    case Kind::list:
      return !v.list().items.empty();
    case Kind::dict:
      return !v.dict().items.empty();
    case Kind::object:
      if (auto* range = as<Range>(v, ObjectKind::range)) return range->length() > 0;
      if (auto* items = as<View>(v, ObjectKind::view)) return !items->dict->items.empty();
      if (v.object()->kind == ObjectKind::loop) return length_of(v).value_or(1) != 0;
      return true;
  }
  return false;
}

bool equal(Heap& heap, const Value& a, const Value& b) {
  heap.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::undefined:
      return true;
    case Kind::none:
      return true;
    case Kind::text:
      if (a.text().bytes.size() != b.text().bytes.size()) return false;
      heap.work(a.text().bytes.size());
      return a.text().bytes == b.text().bytes;
    case Kind::list: {
      auto &x = a.list(), &y = b.list();
      if (&x == &y) return true;
      if (x.tuple != y.tuple || x.items.size() != y.items.size()) return false;
      for (size_t i = 0; i < x.items.size(); ++i)
        if (!equal(heap, x.items[i], y.items[i])) return false;
      return true;
    }
    case Kind::dict: {
      auto &x = a.dict(), &y = b.dict();
      if (&x == &y) return true;
      if (x.items.size() != y.items.size()) return false;
      for (auto& [key, value] : x.items) {
        const Value* other = y.find(key);
        if (!other || !equal(heap, value, *other)) return false;
      }
      return true;
    }
    case Kind::object: {
      if (a.object() == b.object()) return true;
      auto *x = as<Range>(a, ObjectKind::range), *y = as<Range>(b, ObjectKind::range);
      if (!x || !y || x->length() != y->length()) return false;
      return x->length() == 0 || (x->start == y->start && (x->length() == 1 || x->step == y->step));
    }
    default:
      return false;
  }
}

bool less(Heap& heap, const Value& a, const Value& b, const char* symbol) {
  heap.step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.is_undefined() || b.is_undefined()) {
    const Undefined& u = a.is_undefined() ? a.undefined() : b.undefined();
    throw Fault(u.security ? "SecurityError" : "UndefinedError", u.message);
  }
  // UTF-8 sorts as its code points do.
  if (a.is_text() && b.is_text()) {
    heap.work(std::min(a.text().bytes.size(), b.text().bytes.size()));
    return a.text().bytes < b.text().bytes;
  }
  if (a.is(Kind::list) && b.is(Kind::list) && a.list().tuple == b.list().tuple) {
    auto &x = a.list().items, &y = b.list().items;
    for (size_t i = 0; i < x.size() && i < y.size(); ++i)
      if (!equal(heap, x[i], y[i])) return less(heap, x[i], y[i], symbol);
    return x.size() < y.size();
  }
  type_error(fmt::format("'{}' not supported between instances of '{}' and '{}'", symbol, type_name(a), type_name(b)));
}

size_t hash_of(Heap& heap, const Value& key) {
  heap.step();
  switch (key.kind()) {
    case Kind::undefined:
      return 0x5151;
    case Kind::none:
      return 0x4E4E;
    case Kind::boolean:
    case Kind::integer:
      return mix(1, static_cast<size_t>(key.integer()));
    case Kind::real: {
      double d = key.real();
      // 1.0 and 1 are the same key.
      if (d == std::floor(d) && std::fabs(d) < 9.2e18) return mix(1, static_cast<size_t>(static_cast<int64_t>(d)));
      return std::hash<double>{}(d);
    }
    case Kind::text:
      heap.work(key.text().bytes.size());
      return std::hash<std::string_view>{}(key.text().bytes);
    case Kind::list: {
      if (!key.list().tuple) type_error("unhashable type: 'list'");
      size_t h = 7;
      for (auto& item : key.list().items) h = mix(h, hash_of(heap, item));
      return h;
    }
    case Kind::dict:
      type_error("unhashable type: 'dict'");
    case Kind::object:
      return std::hash<const void*>{}(key.object());
  }
  return 0;
}

std::string type_name(const Value& v) {
  switch (v.kind()) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::text:
      return v.text().markup ? "Markup" : "str";
    case Kind::list:
      return v.list().group ? "_GroupTuple" : v.list().tuple ? "tuple" : "list";
    case Kind::dict:
      return "dict";
    case Kind::object:
      break;
  }
  switch (v.object()->kind) {
    case ObjectKind::name_space:
      return "Namespace";
    case ObjectKind::macro:
      return "Macro";
    case ObjectKind::function:
      return "function";
    case ObjectKind::iterator:
      return std::string(static_cast<Iterator*>(v.object())->type);
    case ObjectKind::loop:
      return "LoopContext";
    case ObjectKind::cycler:
      return "Cycler";
    case ObjectKind::joiner:
      return "Joiner";
    case ObjectKind::range:
      return "range";
    case ObjectKind::view: {
      auto what = static_cast<View*>(v.object())->what;
      return what == ViewKind::keys ? "dict_keys" : what == ViewKind::values ? "dict_values" : "dict_items";
    }
    case ObjectKind::slice:
      return "slice";
    case ObjectKind::dict_class:
      return "TemplateDict";
  }
  return "object";
}

}  // namespace motley::jinja
