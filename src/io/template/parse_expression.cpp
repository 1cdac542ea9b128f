#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "io/template/parser_state.h"

namespace motley::jinja {
namespace {

// A chain like a + b + c is as high as it is long. Python stops at about 200 of these; twice that keeps every walk's stack small.
constexpr int kMaxHeight = 400;

Value constant_text(std::string s) { return Value(std::make_shared<const Text>(nullptr, std::move(s), false)); }

}  // namespace

int height_of(const CallArgs& args) {
  int deepest = 0;
  for (auto& e : args.positional) deepest = std::max(deepest, e->height);
  for (auto& [name, e] : args.named) deepest = std::max(deepest, e->height);
  for (auto* e : {args.star.get(), args.star_star.get()})
    if (e) deepest = std::max(deepest, e->height);
  return deepest;
}

ExprPtr Parser::finish(ExprPtr e, int deepest_child) const {
  e->height = deepest_child + 1;
  if (e->height > kMaxHeight) syntax_error(e->line, fmt::format("an expression of more than {} parts inside one another", kMaxHeight));
  return e;
}

bool Parser::at_tuple_end(bool ends_at_recursive) const {
  auto kind = current().kind;
  if (kind == TokenKind::variable_end || kind == TokenKind::block_end || is_op(")")) return true;
  return ends_at_recursive && is_name("recursive");
}

ExprPtr Parser::parse_tuple(bool with_conditional, bool explicit_parentheses, bool ends_at_recursive) {
  int line = current().line;
  std::vector<ExprPtr> items;
  bool tuple = false;
  for (;;) {
    if (!items.empty()) expect_op(",");
    if (at_tuple_end(ends_at_recursive)) break;
    items.push_back(parse_expression(with_conditional));
    if (!is_op(",")) break;
    tuple = true;
  }
  if (!tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!explicit_parentheses) unexpected("an expression");
  }
  auto e = std::make_unique<SequenceExpr>(line, true);
  int deepest = 0;
  for (auto& item : items) deepest = std::max(deepest, item->height);
  e->items = std::move(items);
  return finish(ExprPtr(std::move(e)), deepest);
}

ExprPtr Parser::parse_expression(bool with_conditional) {
  Nested guard(*this);
  return with_conditional ? parse_conditional() : parse_or();
}

ExprPtr Parser::parse_conditional() {
  int line = current().line;
  ExprPtr value = parse_or();
  while (skip_name("if")) {
    auto e = std::make_unique<ConditionalExpr>(line);
    e->yes = std::move(value);
    e->test = parse_or();
    if (skip_name("else")) {
      Nested guard(*this);
      e->no = parse_conditional();
    }
    auto children = {static_cast<const Expr*>(e->yes.get()), static_cast<const Expr*>(e->test.get()), static_cast<const Expr*>(e->no.get())};
    value = finish(std::move(e), children);
    line = current().line;
  }
  return value;
}

ExprPtr Parser::parse_or() {
  ExprPtr left = parse_and();
  while (is_name("or")) {
    int line = next().line;
    ExprPtr right = parse_and();
    auto children = {static_cast<const Expr*>(left.get()), static_cast<const Expr*>(right.get())};
    left = finish(std::make_unique<LogicExpr>(line, false, std::move(left), std::move(right)), children);
  }
  return left;
}

ExprPtr Parser::parse_and() {
  ExprPtr left = parse_not();
  while (is_name("and")) {
    int line = next().line;
    ExprPtr right = parse_not();
    auto children = {static_cast<const Expr*>(left.get()), static_cast<const Expr*>(right.get())};
    left = finish(std::make_unique<LogicExpr>(line, true, std::move(left), std::move(right)), children);
  }
  return left;
}

ExprPtr Parser::parse_not() {
  if (!is_name("not")) return parse_compare();
  Nested guard(*this);
  int line = next().line;
  ExprPtr operand = parse_not();
  auto* child = operand.get();
  return finish(std::make_unique<UnaryExpr>(line, Unary::logical_not, std::move(operand)), {child});
}

ExprPtr Parser::parse_compare() {
  int line = current().line;
  ExprPtr first = parse_sum();
  std::unique_ptr<CompareExpr> e;
  int deepest = first->height;
  for (;;) {
    Comparison op{};
    if (is_op("=="))
      op = Comparison::eq;
    else if (is_op("!="))
      op = Comparison::ne;
    else if (is_op("<"))
      op = Comparison::lt;
    else if (is_op("<="))
      op = Comparison::le;
    else if (is_op(">"))
      op = Comparison::gt;
    else if (is_op(">="))
      op = Comparison::ge;
    else if (is_name("in"))
      op = Comparison::in;
    else if (is_name("not") && look().kind == TokenKind::name && look().text == "in")
      next(), op = Comparison::not_in;
    else
      break;
    next();
    if (!e) e = std::make_unique<CompareExpr>(line);
    e->rest.emplace_back(op, parse_sum());
    deepest = std::max(deepest, e->rest.back().second->height);
  }
  if (!e) return first;
  e->first = std::move(first);
  return finish(ExprPtr(std::move(e)), deepest);
}

ExprPtr Parser::parse_sum() {
  ExprPtr left = parse_concat();
  while (is_op("+") || is_op("-")) {
    Binary op = is_op("+") ? Binary::add : Binary::subtract;
    int line = next().line;
    ExprPtr right = parse_concat();
    auto children = {static_cast<const Expr*>(left.get()), static_cast<const Expr*>(right.get())};
    left = finish(std::make_unique<BinaryExpr>(line, op, std::move(left), std::move(right)), children);
  }
  return left;
}

ExprPtr Parser::parse_concat() {
  int line = current().line;
  ExprPtr first = parse_product();
  if (!is_op("~")) return first;
  auto e = std::make_unique<ConcatExpr>(line);
  int deepest = first->height;
  e->parts.push_back(std::move(first));
  while (skip_op("~")) {
    e->parts.push_back(parse_product());
    deepest = std::max(deepest, e->parts.back()->height);
  }
  return finish(ExprPtr(std::move(e)), deepest);
}

ExprPtr Parser::parse_product() {
  ExprPtr left = parse_power();
  for (;;) {
    Binary op{};
    if (is_op("*"))
      op = Binary::multiply;
    else if (is_op("/"))
      op = Binary::divide;
    else if (is_op("//"))
      op = Binary::floor_divide;
    else if (is_op("%"))
      op = Binary::modulo;
    else
      return left;
    int line = next().line;
    ExprPtr right = parse_power();
    auto children = {static_cast<const Expr*>(left.get()), static_cast<const Expr*>(right.get())};
    left = finish(std::make_unique<BinaryExpr>(line, op, std::move(left), std::move(right)), children);
  }
}

ExprPtr Parser::parse_power() {
  ExprPtr left = parse_unary();
  while (is_op("**")) {
    int line = next().line;
    ExprPtr right = parse_unary();
    auto children = {static_cast<const Expr*>(left.get()), static_cast<const Expr*>(right.get())};
    left = finish(std::make_unique<BinaryExpr>(line, Binary::power, std::move(left), std::move(right)), children);
  }
  return left;
}

ExprPtr Parser::parse_unary(bool with_filter) {
  ExprPtr e;
  if (is_op("-") || is_op("+")) {
    Nested guard(*this);
    Unary op = is_op("-") ? Unary::negate : Unary::plus;
    int line = next().line;
    ExprPtr operand = parse_unary(false);
    auto* child = operand.get();
    e = finish(std::make_unique<UnaryExpr>(line, op, std::move(operand)), {child});
  } else {
    e = parse_primary();
  }
  e = parse_postfix(std::move(e));
  return with_filter ? parse_filters(std::move(e)) : std::move(e);
}

ExprPtr Parser::parse_number() {
  const Token& token = next();
  std::string digits;
  for (char c : token.text)
    if (c != '_') digits += c;
  if (token.kind == TokenKind::real) {
    auto value = parse_double(digits);
    // Too large is infinity and too small is zero, as in Python; from_chars calls both out of range.
    double out_of_range = digits.find("e-") != digits.npos || digits.find("E-") != digits.npos ? 0.0 : HUGE_VAL;
    return std::make_unique<ConstantExpr>(token.line, Value(value.value_or(out_of_range)));
  }
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    char letter = digits[1];
    base = letter == 'x' || letter == 'X' ? 16 : letter == 'o' || letter == 'O' ? 8 : letter == 'b' || letter == 'B' ? 2 : 10;
  }
  int64_t value = 0;
  const char* begin = digits.data() + (base == 10 ? 0 : 2);
  auto [end, code] = std::from_chars(begin, digits.data() + digits.size(), value, base);
  if (code != std::errc{} || end != digits.data() + digits.size())
    syntax_error(token.line, fmt::format("the integer {} does not fit in 64 bits", token.text.substr(0, 40)));
  return std::make_unique<ConstantExpr>(token.line, Value(value));
}

ExprPtr Parser::parse_primary() {
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::name: {
      next();
      std::string_view t = token.text;
      if (t == "true" || t == "True") return std::make_unique<ConstantExpr>(token.line, Value(true));
      if (t == "false" || t == "False") return std::make_unique<ConstantExpr>(token.line, Value(false));
      if (t == "none" || t == "None") return std::make_unique<ConstantExpr>(token.line, Value());
      return std::make_unique<NameExpr>(token.line, intern(t));
    }
    case TokenKind::string: {
      std::string joined;
      while (current().kind == TokenKind::string) {
        joined += unescape_string(current().text, current().line);
        next();
      }
      return std::make_unique<ConstantExpr>(token.line, constant_text(std::move(joined)));
    }
    case TokenKind::integer:
    case TokenKind::real:
      return parse_number();
    default:
      break;
  }
  if (skip_op("(")) {
    Nested guard(*this);
    ExprPtr e = parse_tuple(true, true);
    expect_op(")");
    return e;
  }
  if (is_op("[")) return parse_list();
  if (is_op("{")) return parse_dict();
  unexpected("an expression");
}

ExprPtr Parser::parse_list() {
  Nested guard(*this);
  auto e = std::make_unique<SequenceExpr>(current().line, false);
  expect_op("[");
  int deepest = 0;
  while (!is_op("]")) {
    if (!e->items.empty()) expect_op(",");
    if (is_op("]")) break;
    e->items.push_back(parse_expression());
    deepest = std::max(deepest, e->items.back()->height);
  }
  expect_op("]");
  return finish(ExprPtr(std::move(e)), deepest);
}

ExprPtr Parser::parse_dict() {
  Nested guard(*this);
  auto e = std::make_unique<DictExpr>(current().line);
  expect_op("{");
  int deepest = 0;
  while (!is_op("}")) {
    if (!e->items.empty()) expect_op(",");
    if (is_op("}")) break;
    ExprPtr key = parse_expression();
    expect_op(":");
    ExprPtr value = parse_expression();
    deepest = std::max({deepest, key->height, value->height});
    e->items.emplace_back(std::move(key), std::move(value));
  }
  expect_op("}");
  return finish(ExprPtr(std::move(e)), deepest);
}

ExprPtr Parser::parse_postfix(ExprPtr e) {
  for (;;) {
    if (is_op(".") || is_op("["))
      e = parse_subscript(std::move(e));
    else if (is_op("("))
      e = parse_call(std::move(e));
    else
      return e;
  }
}

ExprPtr Parser::parse_filters(ExprPtr e) {
  for (;;) {
    if (is_op("|"))
      e = parse_filter_chain(std::move(e), false);
    else if (is_name("is"))
      e = parse_test(std::move(e));
    else if (is_op("("))
      e = parse_call(std::move(e));
    else
      return e;
  }
}

std::string Parser::dotted_name() {
  std::string name(expect_any_name());
  while (skip_op(".")) name += "." + std::string(expect_any_name());
  return name;
}

ExprPtr Parser::parse_filter(ExprPtr input) {
  int line = current().line;
  auto e = std::make_unique<FilterExpr>(line, dotted_name());
  if (is_op("(")) e->args = parse_args();
  e->input = std::move(input);
  auto* child = e->input.get();
  auto* args = &e->args;
  return finish(std::move(e), {child}, args);
}

ExprPtr Parser::parse_filter_chain(ExprPtr input, bool start_inline) {
  while (start_inline || is_op("|")) {
    if (!start_inline) next();
    input = parse_filter(std::move(input));
    start_inline = false;
  }
  return input;
}

ExprPtr Parser::parse_test(ExprPtr input) {
  int line = next().line;
  bool negated = skip_name("not");
  auto e = std::make_unique<TestExpr>(line, dotted_name());
  auto kind = current().kind;
  bool operand = kind == TokenKind::string || kind == TokenKind::integer || kind == TokenKind::real || is_op("[") || is_op("{") ||
                 (kind == TokenKind::name && !is_name("else") && !is_name("or") && !is_name("and"));
  if (is_op("(")) {
    e->args = parse_args();
  } else if (operand) {
    if (is_name("is")) syntax_error(current().line, "You cannot chain multiple tests with is");
    e->args.positional.push_back(parse_postfix(parse_primary()));
  }
  e->input = std::move(input);
  auto* child = e->input.get();
  auto* args = &e->args;
  ExprPtr test = finish(std::move(e), {child}, args);
  if (!negated) return test;
  auto* inner = test.get();
  return finish(std::make_unique<UnaryExpr>(line, Unary::logical_not, std::move(test)), {inner});
}

ExprPtr Parser::parse_call(ExprPtr callee) {
  auto e = std::make_unique<CallExpr>(current().line);
  e->args = parse_args();
  e->callee = std::move(callee);
  auto* child = e->callee.get();
  auto* args = &e->args;
  return finish(std::move(e), {child}, args);
}

CallArgs Parser::parse_args() {
  Nested guard(*this);
  int line = current().line;
  expect_op("(");
  CallArgs args;
  bool comma = false;
  auto ensure = [&](bool holds) {
    if (!holds) syntax_error(line, "invalid syntax for function call expression");
  };
  while (!is_op(")")) {
    if (comma) {
      expect_op(",");
      if (is_op(")")) break;
    }
    if (is_op("*")) {
      ensure(!args.star && !args.star_star);
      next();
      args.star = parse_expression();
    } else if (is_op("**")) {
      ensure(!args.star_star);
      next();
      args.star_star = parse_expression();
    } else if (current().kind == TokenKind::name && look().kind == TokenKind::op && look().text == "=") {
      ensure(!args.star_star);
      std::string name(next().text);
      next();
      for (auto& [other, value] : args.named)
        if (other == name) syntax_error(line, fmt::format("keyword argument repeated: {}", name));
      args.named.emplace_back(std::move(name), parse_expression());
    } else {
      ensure(!args.star && !args.star_star && args.named.empty());
      args.positional.push_back(parse_expression());
    }
    comma = true;
  }
  expect_op(")");
  return args;
}

ExprPtr Parser::parse_subscript(ExprPtr object) {
  int line = current().line;
  auto* child = object.get();
  if (skip_op(".")) {
    if (current().kind == TokenKind::name) return finish(std::make_unique<AttributeExpr>(line, std::move(object), std::string(next().text)), {child});
    if (current().kind != TokenKind::integer) unexpected("a name or number");
    ExprPtr index = parse_number();
    return finish(std::make_unique<ItemExpr>(line, std::move(object), std::move(index)), {child});
  }
  Nested guard(*this);
  expect_op("[");
  std::vector<ExprPtr> indices;
  int deepest = 0;
  while (!is_op("]")) {
    if (!indices.empty()) expect_op(",");
    indices.push_back(parse_subscribed());
    deepest = std::max(deepest, indices.back()->height);
  }
  expect_op("]");
  ExprPtr index;
  if (indices.size() == 1) {
    index = std::move(indices[0]);
  } else {
    auto tuple = std::make_unique<SequenceExpr>(line, true);
    tuple->items = std::move(indices);
    index = finish(ExprPtr(std::move(tuple)), deepest);
  }
  auto* second = index.get();
  return finish(std::make_unique<ItemExpr>(line, std::move(object), std::move(index)), {child, second});
}

ExprPtr Parser::parse_subscribed() {
  int line = current().line;
  ExprPtr start;
  if (!is_op(":")) {
    start = parse_expression();
    if (!is_op(":")) return start;
  }
  auto e = std::make_unique<SliceExpr>(line);
  next();
  e->start = std::move(start);
  auto absent = [&] { return is_op("]") || is_op(",") || is_op(":"); };
  if (!absent()) e->stop = parse_expression();
  if (skip_op(":") && !is_op("]") && !is_op(",")) e->step = parse_expression();
  auto children = {static_cast<const Expr*>(e->start.get()), static_cast<const Expr*>(e->stop.get()), static_cast<const Expr*>(e->step.get())};
  return finish(std::move(e), children);
}

}  // namespace motley::jinja
