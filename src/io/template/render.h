// Walks a parsed template over a context and collects its text. One Render serves one rendering; it owns every value made on the way, and
// offers filters, tests and methods what they need: calls, attributes, printing, and the bounds.
//
//   Render render(*syntax, limits, {});
//   render.set("name", render.text("world"));
//   std::string prompt = render.run();          // Fault on whatever Python would raise, and when a bound is passed
#pragma once
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "io/template/ast.h"
#include "io/template/objects.h"
#include "io/template/scope.h"

namespace motley::jinja {

// What the surroundings of a rendering provide.
struct Surroundings {
  std::optional<std::tm> now;  // for strftime_now; the local time when absent
};

class Render {
 public:
  Render(const Syntax& syntax, const TemplateLimits& limits, Surroundings surroundings);
  void set(std::string_view name, Value v);  // a variable of the context, before run()
  std::string run();
  int line() const { return line_; }  // of what was evaluated last, for messages
  const Surroundings& surroundings() const { return surroundings_; }

  Heap heap;

  // --- what filters, tests, methods and globals use
  Value call(const Value& callee, Args& args);
  Value attribute(const Value& object, std::string_view name);  // object.name
  Value item(const Value& object, const Value& index);          // object[index]
  Value slice(const Value& object, const std::optional<Value>& start, const std::optional<Value>& stop, const std::optional<Value>& step);
  std::string str(const Value& v);
  std::string repr(const Value& v);
  Value text(std::string s) { return heap.text(std::move(s)); }
  Value undefined_name(std::string_view name);
  const std::string& name_of(int name) const { return syntax_.names[static_cast<size_t>(name)]; }
  Value make_iterator(std::string_view type, Pull pull) { return Value(heap.make<Iterator>(type, std::move(pull))); }
  Value make_function(std::string name, Callable f) { return Value(heap.make<Function>(std::move(name), std::move(f))); }

 private:
  enum class Flow : uint8_t { next, break_loop, continue_loop };
  using ScopePtr = std::shared_ptr<Scope>;

  // --- statements (render.cpp)
  Flow run_body(const Body& body, const ScopePtr& scope);
  Flow run_statement(const Stmt& stmt, const ScopePtr& scope);
  Flow run_if(const IfStmt& s, const ScopePtr& scope);
  Flow run_for(const ForStmt& s, const Value& iterable, const ScopePtr& scope, int64_t depth);
  Flow run_captured(const Body& body, const ScopePtr& scope, std::string& text);
  Flow run_filter_block(const FilterBlockStmt& s, const ScopePtr& scope);
  Flow run_set_block(const SetBlockStmt& s, const ScopePtr& scope);
  Flow run_with(const WithStmt& s, const ScopePtr& scope);
  void run_call_block(const CallBlockStmt& s, const ScopePtr& scope);
  void run_block(const BlockStmt& s, const ScopePtr& scope);
  void emit(std::string_view s);
  ScopePtr enter(const ScopePlan& plan, ScopePtr parent);
  void reset(Scope& scope, const ScopePlan& plan);
  void assign(const Target& target, const Value& value, const ScopePtr& scope);
  Value read(int name, Scope* scope);
  std::optional<Value> resolve(int name);
  Pull filtered(const ForStmt& s, const Value& iterable, const ScopePtr& scope);

  // --- expressions (evaluate.cpp)
  Value eval(const Expr& e, const ScopePtr& scope);
  Value eval_compare(const CompareExpr& e, const ScopePtr& scope);
  Value eval_concat(const ConcatExpr& e, const ScopePtr& scope);
  Value eval_sequence(const SequenceExpr& e, const ScopePtr& scope);
  Value eval_dict(const DictExpr& e, const ScopePtr& scope);
  Value eval_conditional(const ConditionalExpr& e, const ScopePtr& scope);
  Value eval_filter(const FilterExpr& e, const ScopePtr& scope);
  Value eval_test(const TestExpr& e, const ScopePtr& scope);
  Value eval_call(const CallExpr& e, const ScopePtr& scope);
  Value eval_item(const ItemExpr& e, const ScopePtr& scope);
  Args eval_args(const CallArgs& args, const ScopePtr& scope);

  // --- calls (call.cpp)
  Value call_macro(Macro& macro, Args& args);
  Value call_loop(Loop& loop, Args& args);
  Value call_object(Object& object, Args& args);

  const Syntax& syntax_;
  Surroundings surroundings_;
  Dict::Items variables_;                       // before run()
  std::shared_ptr<const Dict> context_;         // from then on
  std::vector<std::optional<Value>> exported_;  // by name: what the top level has set, which blocks see
  std::string* out_ = nullptr;
  size_t emitted_ = 0;
  int line_ = 1;
  Scope* top_ = nullptr;
  std::optional<Value> filter_input_;
};

[[noreturn]] void raise_undefined(const Undefined& u);

}  // namespace motley::jinja
