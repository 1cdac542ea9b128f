#include <fmt/format.h>

#include "io/template/filters.h"
#include "io/template/methods.h"
#include "io/template/operators.h"
#include "io/template/predicates.h"
#include "io/template/print.h"
#include "io/template/render.h"

namespace motley::jinja {

// Kept small, as everything recurses through here: each kind with more than a line to it has its own function.
Value Render::eval(const Expr& e, const ScopePtr& scope) {
  Heap::Deeper deeper(heap);
  heap.step();
  line_ = e.line;
  switch (e.kind) {
    case ExprKind::constant:
      return static_cast<const ConstantExpr&>(e).value;
    case ExprKind::name:
      return read(static_cast<const NameExpr&>(e).name, scope.get());
    case ExprKind::sequence:
      return eval_sequence(static_cast<const SequenceExpr&>(e), scope);
    case ExprKind::dict:
      return eval_dict(static_cast<const DictExpr&>(e), scope);
    case ExprKind::unary:
      return unary(heap, static_cast<const UnaryExpr&>(e).op, eval(*static_cast<const UnaryExpr&>(e).operand, scope));
    case ExprKind::binary: {
      auto& b = static_cast<const BinaryExpr&>(e);
      Value left = eval(*b.left, scope);
      return binary(*this, b.op, left, eval(*b.right, scope));
    }
    case ExprKind::logic: {
      auto& l = static_cast<const LogicExpr&>(e);
      Value left = eval(*l.left, scope);
      return truth(left) == l.both ? eval(*l.right, scope) : left;
    }
    case ExprKind::concat:
      return eval_concat(static_cast<const ConcatExpr&>(e), scope);
    case ExprKind::compare:
      return eval_compare(static_cast<const CompareExpr&>(e), scope);
    case ExprKind::conditional:
      return eval_conditional(static_cast<const ConditionalExpr&>(e), scope);
    case ExprKind::filter:
      return eval_filter(static_cast<const FilterExpr&>(e), scope);
    case ExprKind::test:
      return eval_test(static_cast<const TestExpr&>(e), scope);
    case ExprKind::call:
      return eval_call(static_cast<const CallExpr&>(e), scope);
    case ExprKind::attribute:
      return attribute(eval(*static_cast<const AttributeExpr&>(e).object, scope), static_cast<const AttributeExpr&>(e).name);
    case ExprKind::item:
      return eval_item(static_cast<const ItemExpr&>(e), scope);
    case ExprKind::slice:
      type_error("a slice can only stand alone between brackets");
  }
  return {};
}

Value Render::eval_sequence(const SequenceExpr& e, const ScopePtr& scope) {
  std::vector<Value> items;
  items.reserve(e.items.size());
  for (auto& item : e.items) items.push_back(eval(*item, scope));
  return e.tuple ? heap.tuple(std::move(items)) : heap.list(std::move(items));
}

Value Render::eval_dict(const DictExpr& e, const ScopePtr& scope) {
  Dict::Items items;
  items.reserve(e.items.size());
  for (auto& [key, value] : e.items) {
    Value k = eval(*key, scope);
    items.emplace_back(std::move(k), eval(*value, scope));
  }
  return heap.dict(std::move(items));
}

Value Render::eval_concat(const ConcatExpr& e, const ScopePtr& scope) {
  std::vector<std::string> parts;
  size_t total = 0;
  for (auto& part : e.parts) {
    parts.push_back(str(eval(*part, scope)));
    total += parts.back().size();
    heap.expect_room(total);
  }
  std::string joined;
  joined.reserve(total);
  for (auto& part : parts) joined += part;
  return text(std::move(joined));
}

Value Render::eval_compare(const CompareExpr& e, const ScopePtr& scope) {
  Value left = eval(*e.first, scope);
  for (auto& [op, operand] : e.rest) {
    Value right = eval(*operand, scope);
    if (!compare(*this, op, left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Render::eval_conditional(const ConditionalExpr& e, const ScopePtr& scope) {
  if (truth(eval(*e.test, scope))) return eval(*e.yes, scope);
  if (e.no) return eval(*e.no, scope);
  return heap.undefined(fmt::format("the inline if-expression on line {} evaluated to false and no else section was defined.", e.line));
}

Value Render::eval_filter(const FilterExpr& e, const ScopePtr& scope) {
  Value input = e.input ? eval(*e.input, scope) : filter_input_.value_or(Value());
  if (!e.filter) throw Fault("TemplateRuntimeError", fmt::format("No filter named '{}' found.", e.name));
  Args args = eval_args(e.args, scope);
  line_ = e.line;
  return e.filter->apply(*this, input, args);
}

Value Render::eval_test(const TestExpr& e, const ScopePtr& scope) {
  Value input = eval(*e.input, scope);
  if (!e.predicate) throw Fault("TemplateRuntimeError", fmt::format("No test named '{}' found.", e.name));
  Args args = eval_args(e.args, scope);
  line_ = e.line;
  return Value(e.predicate->holds(*this, input, args));
}

Value Render::eval_call(const CallExpr& e, const ScopePtr& scope) {
  // s.method(...) is run directly, without making a value of the method first.
  if (e.callee->kind == ExprKind::attribute) {
    auto& a = static_cast<const AttributeExpr&>(*e.callee);
    Value object = eval(*a.object, scope);
    if (Method method = find_method(object, a.name)) {
      Args args = eval_args(e.args, scope);
      line_ = e.line;
      return method(*this, object, args);
    }
    Value callee = attribute(object, a.name);
    Args args = eval_args(e.args, scope);
    line_ = e.line;
    return call(callee, args);
  }
  Value callee = eval(*e.callee, scope);
  Args args = eval_args(e.args, scope);
  line_ = e.line;
  return call(callee, args);
}

Value Render::eval_item(const ItemExpr& e, const ScopePtr& scope) {
  Value object = eval(*e.object, scope);
  if (e.index->kind != ExprKind::slice) return item(object, eval(*e.index, scope));
  auto& s = static_cast<const SliceExpr&>(*e.index);
  auto bound = [&](const ExprPtr& x) { return x ? std::optional<Value>(eval(*x, scope)) : std::nullopt; };
  auto start = bound(s.start), stop = bound(s.stop), step = bound(s.step);
  return slice(object, start, stop, step);
}

Args Render::eval_args(const CallArgs& args, const ScopePtr& scope) {
  Args out;
  out.positional.reserve(args.positional.size());
  for (auto& e : args.positional) out.positional.push_back(eval(*e, scope));
  for (auto& [name, e] : args.named) out.named.emplace_back(name, eval(*e, scope));
  if (args.star) {
    Value more = eval(*args.star, scope);
    for (Value& v : to_vector(heap, more)) out.positional.push_back(std::move(v));
  }
  if (args.star_star) {
    Value more = eval(*args.star_star, scope);
    if (more.is_undefined()) raise_undefined(more.undefined());
    if (!more.is(Kind::dict)) type_error(fmt::format("argument after ** must be a mapping, not {}", type_name(more)));
    for (auto& [key, value] : more.dict().items) {
      heap.step();
      if (!key.is_text()) type_error("keywords must be strings");
      for (auto& [name, other] : out.named) {
        heap.step();
        if (name == view(key)) type_error(fmt::format("got multiple values for keyword argument '{}'", name));
      }
      out.named.emplace_back(key.text().bytes, value);
    }
  }
  return out;
}

}  // namespace motley::jinja
