#include "io/template/render.h"

#include <fmt/format.h>

#include "base/check.h"
#include "io/template/globals.h"
#include "io/template/print.h"

namespace motley::jinja {

void raise_undefined(const Undefined& u) { throw Fault(u.security ? "SecurityError" : "UndefinedError", u.message); }

Render::Render(const Syntax& syntax, const TemplateLimits& limits, Surroundings surroundings)
    : heap(limits), syntax_(syntax), surroundings_(std::move(surroundings)), variables_(global_names(*this)) {
  exported_.resize(syntax.names.size());
}

void Render::set(std::string_view name, Value v) { variables_.emplace_back(text(std::string(name)), std::move(v)); }

std::string Render::run() {
  context_ = heap.dict(std::move(variables_)).dict_pointer();
  std::string out;
  out_ = &out;
  ScopePtr root = enter(syntax_.plan, nullptr);
  top_ = root.get();
  run_body(syntax_.body, root);
  return out;
}

void Render::emit(std::string_view s) {
  heap.work(s.size());
  emitted_ += s.size();
  // Captured blocks are emitted again where they are printed, so the sum of both is bounded too.
  if (out_->size() + s.size() > heap.limits().output_bytes || emitted_ > 4 * heap.limits().output_bytes)
    throw Fault("LimitError", fmt::format("the template writes more than {} bytes", heap.limits().output_bytes));
  out_->append(s);
}

// --- scopes

Render::ScopePtr Render::enter(const ScopePlan& plan, ScopePtr parent) {
  heap.step();
  auto scope = std::make_shared<Scope>();
  scope->parent = std::move(parent);
  scope->names.reserve(plan.size());
  for (auto& [name, entry] : plan) scope->names.emplace_back(name, std::nullopt);
  reset(*scope, plan);
  return scope;
}

void Render::reset(Scope& scope, const ScopePlan& plan) {
  heap.step(static_cast<int64_t>(plan.size()));
  for (size_t i = 0; i < plan.size(); ++i) {
    auto& [name, entry] = plan[i];
    auto& slot = scope.names[i].second;
    slot.reset();
    if (entry == Entry::resolve) {
      slot = resolve(name);
    } else if (entry == Entry::alias) {
      for (Scope* s = scope.parent.get(); s; s = s->parent.get()) {
        if (auto* outer = s->find(name)) {
          slot = *outer;
          break;
        }
      }
    }
  }
}

std::optional<Value> Render::resolve(int name) {
  auto& exported = exported_[static_cast<size_t>(name)];
  if (exported) return exported;
  if (const Value* v = context_->find(syntax_.names[static_cast<size_t>(name)])) return *v;
  return std::nullopt;
}

Value Render::read(int name, Scope* scope) {
  for (; scope; scope = scope->parent.get()) {
    if (auto* slot = scope->find(name)) {
      if (*slot) return **slot;
      return undefined_name(syntax_.names[static_cast<size_t>(name)]);
    }
  }
  if (auto v = resolve(name)) return *v;
  return undefined_name(syntax_.names[static_cast<size_t>(name)]);
}

void Render::assign(const Target& target, const Value& value, const ScopePtr& scope) {
  line_ = target.line;
  if (target.tuple) {
    std::vector<Value> items = to_vector(heap, value);
    if (items.size() < target.items.size())
      value_error(fmt::format("not enough values to unpack (expected {}, got {})", target.items.size(), items.size()));
    if (items.size() > target.items.size()) value_error(fmt::format("too many values to unpack (expected {})", target.items.size()));
    for (size_t i = 0; i < items.size(); ++i) assign(target.items[i], items[i], scope);
    return;
  }
  if (!target.attribute.empty()) {
    Value holder = read(target.name, scope.get());
    auto* space = as<Namespace>(holder, ObjectKind::name_space);
    if (!space) throw Fault("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
    return set_namespace_attribute(heap, *space, target.attribute, value);
  }
  auto* slot = scope->find(target.name);
  check(slot != nullptr, "a scope plans every name that is stored in it");
  *slot = value;
  if (scope.get() == top_) exported_[static_cast<size_t>(target.name)] = value;
}

// --- statements

Render::Flow Render::run_body(const Body& body, const ScopePtr& scope) {
  Heap::Deeper deeper(heap);
  for (auto& s : body) {
    Flow flow = run_statement(*s, scope);
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Render::Flow Render::run_statement(const Stmt& stmt, const ScopePtr& scope) {
  heap.step();
  line_ = stmt.line;
  switch (stmt.kind) {
    case StmtKind::data:
      emit(static_cast<const DataStmt&>(stmt).text);
      return Flow::next;
    case StmtKind::print: {
      Value v = eval(*static_cast<const PrintStmt&>(stmt).value, scope);
      v.is_text() ? emit(view(v)) : emit(str(v));
      return Flow::next;
    }
    case StmtKind::branch:
      return run_if(static_cast<const IfStmt&>(stmt), scope);
    case StmtKind::loop: {
      auto& s = static_cast<const ForStmt&>(stmt);
      return run_for(s, eval(*s.iterable, scope), scope, 0);
    }
    case StmtKind::macro: {
      auto& m = static_cast<const MacroStmt&>(stmt);
      Target name;
      name.line = m.line;
      name.name = m.name;
      assign(name, Value(heap.make<Macro>(&m, scope)), scope);
      return Flow::next;
    }
    case StmtKind::call_block:
      run_call_block(static_cast<const CallBlockStmt&>(stmt), scope);
      return Flow::next;
    case StmtKind::filter_block:
      return run_filter_block(static_cast<const FilterBlockStmt&>(stmt), scope);
    case StmtKind::with:
      return run_with(static_cast<const WithStmt&>(stmt), scope);
    case StmtKind::set: {
      auto& s = static_cast<const SetStmt&>(stmt);
      assign(s.target, eval(*s.value, scope), scope);
      return Flow::next;
    }
    case StmtKind::set_block:
      return run_set_block(static_cast<const SetBlockStmt&>(stmt), scope);
    case StmtKind::block:
      run_block(static_cast<const BlockStmt&>(stmt), scope);
      return Flow::next;
    case StmtKind::break_loop:
      return Flow::break_loop;
    case StmtKind::continue_loop:
      return Flow::continue_loop;
  }
  return Flow::next;
}

Render::Flow Render::run_if(const IfStmt& s, const ScopePtr& scope) {
  for (auto& [test, body] : s.branches)
    if (truth(eval(*test, scope))) return run_body(body, scope);
  return s.otherwise.empty() ? Flow::next : run_body(s.otherwise, scope);
}

// The items that pass the loop's own `if`, tested as they are asked for, in a scope of that test's own.
Pull Render::filtered(const ForStmt& s, const Value& iterable, const ScopePtr& scope) {
  Pull pull = iterate(heap, iterable);
  if (!s.filter) return pull;
  return [this, &s, pull = std::move(pull), inner = enter(s.filter_plan, scope)](Value& out) {
    while (pull(out)) {
      reset(*inner, s.filter_plan);
      assign(s.target, out, inner);
      if (truth(eval(*s.filter, inner))) return true;
    }
    return false;
  };
}

Render::Flow Render::run_for(const ForStmt& s, const Value& iterable, const ScopePtr& scope, int64_t depth) {
  auto* loop = heap.make<Loop>();
  loop->pull = filtered(s, iterable, scope);
  if (!s.filter) loop->known_length = length_of(iterable);
  loop->depth0 = depth;
  loop->outer = scope;
  if (s.recursive) loop->recursive = &s;

  ScopePtr inner = enter(s.body_plan, scope);
  bool any = false;
  Value item;
  std::optional<Value>* loop_slot = nullptr;
  for (auto& [name, slot] : inner->names)
    if (syntax_.names[static_cast<size_t>(name)] == "loop") loop_slot = &slot;
  while (loop->next(item)) {
    heap.step();
    reset(*inner, s.body_plan);
    if (loop_slot) *loop_slot = Value(loop);
    assign(s.target, item, inner);
    any = true;
    if (run_body(s.body, inner) == Flow::break_loop) break;
  }
  for (auto& [name, slot] : inner->names) slot.reset();
  loop->pull = nullptr;
  // The else branch answers to the loop around this one, if it breaks.
  return any || s.otherwise.empty() ? Flow::next : run_body(s.otherwise, enter(s.otherwise_plan, scope));
}

Render::Flow Render::run_captured(const Body& body, const ScopePtr& scope, std::string& text) {
  std::string* outside = std::exchange(out_, &text);
  struct Restore {
    std::string*& place;
    std::string* value;
    ~Restore() { place = value; }
  } restore{out_, outside};
  return run_body(body, scope);
}

Render::Flow Render::run_filter_block(const FilterBlockStmt& s, const ScopePtr& scope) {
  std::string captured;
  ScopePtr inner = enter(s.plan, scope);
  Flow flow = run_captured(s.body, inner, captured);
  if (flow != Flow::next) return flow;
  std::optional<Value> outside = std::exchange(filter_input_, text(std::move(captured)));
  Value v = eval(*s.filter, inner);
  filter_input_ = std::move(outside);
  emit(str(v));
  return Flow::next;
}

Render::Flow Render::run_set_block(const SetBlockStmt& s, const ScopePtr& scope) {
  std::string captured;
  ScopePtr inner = enter(s.plan, scope);
  Flow flow = run_captured(s.body, inner, captured);
  if (flow != Flow::next) return flow;
  Value v = text(std::move(captured));
  if (s.filter) {
    std::optional<Value> outside = std::exchange(filter_input_, v);
    v = eval(*s.filter, inner);
    filter_input_ = std::move(outside);
  }
  assign(s.target, v, scope);
  return Flow::next;
}

Render::Flow Render::run_with(const WithStmt& s, const ScopePtr& scope) {
  ScopePtr inner = enter(s.plan, scope);
  for (size_t i = 0; i < s.targets.size(); ++i) assign(s.targets[i], eval(*s.values[i], scope), inner);
  return run_body(s.body, inner);
}

void Render::run_call_block(const CallBlockStmt& s, const ScopePtr& scope) {
  if (!s.call) {  // a generation block prints its body
    std::string captured;
    run_captured(s.caller->body, enter(s.caller->plan, scope), captured);
    return emit(captured);
  }
  auto& call_expr = static_cast<const CallExpr&>(*s.call);
  Value callee = eval(*call_expr.callee, scope);
  Args args = eval_args(call_expr.args, scope);
  for (auto& [name, value] : args.named)
    if (name == "caller") type_error("got multiple values for keyword argument 'caller'");
  args.named.emplace_back("caller", Value(heap.make<Macro>(s.caller.get(), scope)));
  emit(str(call(callee, args)));
}

void Render::run_block(const BlockStmt& s, const ScopePtr& scope) {
  ScopePtr root = enter(s.plan, nullptr);
  if (s.scoped) {
    for (auto& [name, slot] : root->names)
      for (Scope* outer = scope.get(); outer; outer = outer->parent.get())
        if (auto* value = outer->find(name)) {
          slot = *value;
          break;
        }
  }
  run_body(s.body, root);
}

Value Render::undefined_name(std::string_view name) { return heap.undefined(fmt::format("'{}' is undefined", name)); }

}  // namespace motley::jinja
