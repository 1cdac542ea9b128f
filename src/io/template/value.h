// The values of a template and the arena they live in. A Value is small and copied freely. Text, lists and dicts never change once made
// (the sandbox that Hugging Face renders in forbids it), so they are shared by count and can form no cycle; the few things that do change
// (namespaces, iterators, loops) are Objects, owned by the Heap of one rendering and freed with it, flat, however they point at each other.
//
//   Heap heap(limits);
//   Value v = heap.list({Value(int64_t{1}), heap.text("two")});
//   truth(v);                                   // true, as in Python
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "io/template/limits.h"

namespace motley::jinja {

// What Python would raise: the name of its exception class, and its message.
struct Fault : std::runtime_error {
  Fault(std::string exception_type, const std::string& message) : std::runtime_error(message), type(std::move(exception_type)) {}
  std::string type;
};
[[noreturn]] inline void type_error(const std::string& message) { throw Fault("TypeError", message); }
[[noreturn]] inline void value_error(const std::string& message) { throw Fault("ValueError", message); }

class Heap;
struct Text;
struct List;
struct Dict;
struct Undefined;
struct Object;
struct None {};
enum class Kind : uint8_t { undefined, none, boolean, integer, real, text, list, dict, object };

class Value {
 public:
  Value() : v_(None{}) {}
  explicit Value(bool b) : v_(b) {}
  explicit Value(int64_t i) : v_(i) {}
  explicit Value(double d) : v_(d) {}
  explicit Value(std::shared_ptr<const Undefined> u) : v_(std::move(u)) {}
  explicit Value(std::shared_ptr<const Text> t) : v_(std::move(t)) {}
  explicit Value(std::shared_ptr<const List> l) : v_(std::move(l)) {}
  explicit Value(std::shared_ptr<const Dict> d) : v_(std::move(d)) {}
  explicit Value(Object* o) : v_(o) {}

  Kind kind() const { return static_cast<Kind>(v_.index()); }
  bool is(Kind k) const { return kind() == k; }
  bool is_undefined() const { return is(Kind::undefined); }
  bool is_none() const { return is(Kind::none); }
  bool is_text() const { return is(Kind::text); }
  bool is_number() const { return is(Kind::boolean) || is(Kind::integer) || is(Kind::real); }
  bool is_integral() const { return is(Kind::boolean) || is(Kind::integer); }
  bool boolean() const { return std::get<bool>(v_); }
  int64_t integer() const { return is(Kind::boolean) ? boolean() : std::get<int64_t>(v_); }  // bool is an int in Python
  double real() const { return is(Kind::real) ? std::get<double>(v_) : static_cast<double>(integer()); }
  const Text& text() const { return *std::get<std::shared_ptr<const Text>>(v_); }
  const List& list() const { return *std::get<std::shared_ptr<const List>>(v_); }
  const Dict& dict() const { return *std::get<std::shared_ptr<const Dict>>(v_); }
  const Undefined& undefined() const { return *std::get<std::shared_ptr<const Undefined>>(v_); }
  Object* object() const { return std::get<Object*>(v_); }
  std::shared_ptr<const Dict> dict_pointer() const { return std::get<std::shared_ptr<const Dict>>(v_); }
  const void* identity() const;  // where a shared value lives, for `is sameas`

 private:
  std::variant<std::shared_ptr<const Undefined>, None, bool, int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const List>,
               std::shared_ptr<const Dict>, Object*>
      v_;
};

// A sum of bytes that a value takes from the rendering's memory and gives back when it goes.
class Charge {
 public:
  Charge(Heap* heap, size_t bytes);
  ~Charge();
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

 private:
  Heap* heap_;
  size_t bytes_;
};

struct Text {
  Text(Heap* heap, std::string s, bool is_markup);
  std::string bytes;    // valid UTF-8
  bool markup = false;  // Python's Markup: text that is already escaped, as `escape` and `safe` make
  int64_t length = 0;   // in code points
  bool ascii() const { return length == static_cast<int64_t>(bytes.size()); }
  Charge charge;
};

struct List {
  List(Heap* heap, std::vector<Value> values, bool is_tuple, int nesting)
      : items(std::move(values)), tuple(is_tuple), depth(nesting), charge(heap, 64 + items.capacity() * sizeof(Value)) {}
  std::vector<Value> items;
  bool tuple = false;
  int depth = 1;       // containers inside one another; bounded, so that no walk over values can exhaust the stack
  bool group = false;  // of `groupby`: a pair whose halves are also called grouper and list
  Charge charge;
};

struct Dict {
  using Items = std::vector<std::pair<Value, Value>>;
  Dict(Heap* heap, Items pairs, int nesting);
  Items items;  // in the order of insertion, keys unique
  int depth = 1;
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

 private:
  std::unordered_multimap<size_t, uint32_t> index_;  // by hash; only for more than a handful of keys
  Heap* heap_;
  Charge charge_;
};

struct Undefined {
  std::string message;  // what is raised when the value is used
  bool security = false;
};

enum class ObjectKind : uint8_t { name_space, macro, function, iterator, loop, cycler, joiner, range, view, slice, dict_class };

struct Object {
  explicit Object(ObjectKind k) : kind(k) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ObjectKind kind;
};

// What one rendering may still use, and everything it owns.
class Heap {
 public:
  explicit Heap(const TemplateLimits& limits) : limits_(limits), steps_left_(limits.steps) {}
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  Value text(std::string s, bool markup = false);
  Value list(std::vector<Value> items) { return sequence(std::move(items), false); }
  Value tuple(std::vector<Value> items) { return sequence(std::move(items), true); }
  Value group(Value grouper, Value members);
  Value dict(Dict::Items items);  // later pairs replace earlier ones of the same key
  Value undefined(std::string message, bool security = false);
  template <class T, class... Args>
  T* make(Args&&... args) {
    add_memory(sizeof(T) + 64);
    auto owned = std::make_unique<T>(std::forward<Args>(args)...);
    T* raw = owned.get();
    objects_.push_back(std::move(owned));
    return raw;
  }

  void step(int64_t n = 1) {
    if ((steps_left_ -= n) < 0) out_of_steps();
  }
  void work(size_t bytes) { step(1 + static_cast<int64_t>(bytes / 64)); }  // for moving or searching that many bytes
  void add_memory(size_t bytes);
  void return_memory(size_t bytes) { memory_ -= bytes; }
  void expect_room(size_t bytes) const;  // refuses before something so large is made
  const TemplateLimits& limits() const { return limits_; }

  // Held while something evaluates, walks or pulls recursively.
  class Deeper {
   public:
    explicit Deeper(Heap& heap) : heap_(heap) {
      if (++heap_.depth_ > heap_.limits_.depth) {
        --heap_.depth_;
        throw Fault("RecursionError", "the template nests deeper than " + std::to_string(heap_.limits_.depth) + " evaluations");
      }
    }
    ~Deeper() { --heap_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Heap& heap_;
  };

 private:
  Value sequence(std::vector<Value> items, bool tuple);
  int nesting_of(const Value& v) const;
  [[noreturn]] void out_of_steps();
  [[noreturn]] void out_of_memory() const;
  TemplateLimits limits_;
  int64_t steps_left_;
  size_t memory_ = 0;
  int depth_ = 0;
  std::vector<std::unique_ptr<Object>> objects_;
};

bool truth(const Value& v);
// These charge the heap for what they look at: a list of lists that share their halves is small to hold and endless to compare.
bool equal(Heap& heap, const Value& a, const Value& b);
bool less(Heap& heap, const Value& a, const Value& b, const char* symbol = "<");  // a < b; Fault when Python has no order between them
size_t hash_of(Heap& heap, const Value& key);                                     // Fault for a list or dict
std::string type_name(const Value& v);                                            // as type(v).__name__
inline std::string_view view(const Value& text) { return text.text().bytes; }

}  // namespace motley::jinja
