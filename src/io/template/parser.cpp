#include "io/template/parser.h"

#include <fmt/format.h>

#include "base/text.h"
#include "io/template/parser_state.h"
#include "io/template/scope.h"

namespace motley::jinja {
namespace {

std::string describe(const Token& t) {
  switch (t.kind) {
    case TokenKind::end:
      return "end of template";
    case TokenKind::data:
      return "template text";
    case TokenKind::block_begin:
      return "begin of statement block";
    case TokenKind::block_end:
      return "end of statement block";
    case TokenKind::variable_begin:
      return "begin of print statement";
    case TokenKind::variable_end:
      return "end of print statement";
    default:
      return fmt::format("'{}'", t.text.substr(0, 60));
  }
}

}  // namespace

Parser::Nested::Nested(Parser& p) : parser_(p) {
  if (++parser_.nesting_ > parser_.nesting_limit_) {
    --parser_.nesting_;
    syntax_error(parser_.current().line, fmt::format("more than {} brackets or blocks inside one another", parser_.nesting_limit_));
  }
}

void Parser::unexpected(std::string_view wanted) const {
  syntax_error(current().line, fmt::format("expected {}, got {}", wanted, describe(current())));
}

void Parser::expect_op(std::string_view op) {
  if (!skip_op(op)) unexpected(fmt::format("'{}'", op));
}

void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) unexpected(fmt::format("'{}'", name));
}

std::string_view Parser::expect_any_name() {
  if (current().kind != TokenKind::name) unexpected("a name");
  return next().text;
}

int Parser::intern(std::string_view name) {
  auto [it, added] = ids_.try_emplace(name, static_cast<int>(syntax_.names.size()));
  if (added) syntax_.names.emplace_back(name);
  return it->second;
}

Syntax Parser::take() {
  syntax_.body = statements({}, false);
  return std::move(syntax_);
}

Body Parser::statements(Ends ends, bool drop_end) {
  Nested guard(*this);
  Body body;
  for (;;) {
    const Token& token = current();
    switch (token.kind) {
      case TokenKind::end:
        if (ends.size() == 0) return body;
        syntax_error(token.line, fmt::format("Unexpected end of template: expected '{}'", *(ends.end() - 1)));
      case TokenKind::data:
        body.push_back(std::make_unique<DataStmt>(token.line, std::string(token.text)));
        next();
        break;
      case TokenKind::variable_begin: {
        next();
        ExprPtr value = parse_tuple(true, false);
        body.push_back(std::make_unique<PrintStmt>(token.line, std::move(value)));
        if (current().kind != TokenKind::variable_end) unexpected("end of print statement");
        next();
        break;
      }
      case TokenKind::block_begin:
        next();
        for (auto end : ends) {
          if (!is_name(end)) continue;
          if (drop_end) next();
          return body;
        }
        statement(body);
        if (current().kind != TokenKind::block_end) unexpected("end of statement block");
        next();
        break;
      default:
        unexpected("text or a tag");
    }
  }
}

// The body of the statement whose opening tag ends here.
Body Parser::block_body(Ends ends, bool drop_end) {
  skip_op(":");  // Jinja lets people write Python's colon
  if (current().kind != TokenKind::block_end) unexpected("end of statement block");
  next();
  return statements(ends, drop_end);
}

Body Parser::function_body(Ends ends) {
  int around = std::exchange(loops_, 0);
  Body body = block_body(ends, true);
  loops_ = around;
  return body;
}

void Parser::statement(Body& out) {
  const Token& token = current();
  if (token.kind != TokenKind::name) unexpected("the name of a statement");
  std::string_view tag = token.text;
  if (tag == "for") return out.push_back(parse_for());
  if (tag == "if") return out.push_back(parse_if());
  if (tag == "set") return out.push_back(parse_set());
  if (tag == "macro") return out.push_back(parse_macro());
  if (tag == "call") return out.push_back(parse_call_block());
  if (tag == "generation") return out.push_back(parse_generation());
  if (tag == "filter") return out.push_back(parse_filter_block());
  if (tag == "with") return out.push_back(parse_with());
  if (tag == "block") return out.push_back(parse_block());
  if (tag == "break" || tag == "continue") {
    if (loops_ == 0) syntax_error(token.line, fmt::format("'{}' outside loop", tag));
    next();
    return out.push_back(std::make_unique<JumpStmt>(token.line, tag == "break" ? StmtKind::break_loop : StmtKind::continue_loop));
  }
  if (tag == "print") {
    next();
    bool first = true;
    while (current().kind != TokenKind::block_end) {
      if (!std::exchange(first, false)) expect_op(",");
      out.push_back(std::make_unique<PrintStmt>(token.line, parse_expression()));
    }
    return;
  }
  if (tag == "include" || tag == "import" || tag == "from" || tag == "extends")
    syntax_error(token.line, fmt::format("'{}' reads another template, and a chat template stands alone", tag));
  if (tag == "autoescape") syntax_error(token.line, "'autoescape' is not supported: prompts are not HTML");
  syntax_error(token.line, fmt::format("Encountered unknown tag '{}'.", tag.substr(0, 60)));
}

Target Parser::parse_target_primary(bool with_namespace, bool stores) {
  const Token& token = current();
  Target target;
  target.line = token.line;
  if (skip_op("(")) {
    // As an ordinary tuple in parentheses, but of targets: names only.
    Nested guard(*this);
    target = parse_target(false, stores);
    expect_op(")");
    return target;
  }
  if (token.kind != TokenKind::name) unexpected("a name to assign to");
  next();
  std::string_view t = token.text;
  if (t == "true" || t == "false" || t == "none" || t == "True" || t == "False" || t == "None") syntax_error(token.line, "can't assign to 'const'");
  target.name = intern(t);
  if (with_namespace && is_op(".")) {
    next();
    target.attribute = std::string(expect_any_name());
  } else if (stores && t == "loop" && for_blocks_ > 0) {
    syntax_error(token.line, "Can't assign to special loop variable in for-loop target");
  }
  return target;
}

Target Parser::parse_target(bool with_namespace, bool stores) {
  Target tuple;
  tuple.line = current().line;
  tuple.tuple = true;
  bool comma = false;
  for (;;) {
    if (at_tuple_end(false) || is_name("in")) break;
    tuple.items.push_back(parse_target_primary(with_namespace, stores));
    if (!is_op(",")) break;
    next();
    comma = true;
  }
  if (tuple.items.empty()) unexpected("a name to assign to");
  if (!comma) return std::move(tuple.items[0]);
  return tuple;
}

std::unique_ptr<Stmt> Parser::parse_for() {
  auto s = std::make_unique<ForStmt>(next().line);
  ++for_blocks_;
  s->target = parse_target(false, true);
  expect_name("in");
  s->iterable = parse_tuple(false, false, true);
  if (skip_name("if")) s->filter = parse_expression();
  s->recursive = skip_name("recursive");
  ++loops_;
  s->body = block_body({"endfor", "else"}, false);
  --loops_;
  if (next().text == "else") s->otherwise = block_body({"endfor"}, true);
  --for_blocks_;
  return s;
}

std::unique_ptr<Stmt> Parser::parse_if() {
  auto s = std::make_unique<IfStmt>(current().line);
  for (;;) {
    next();
    ExprPtr test = parse_tuple(false, false);
    s->branches.emplace_back(std::move(test), block_body({"elif", "else", "endif"}, false));
    if (is_name("elif")) continue;
    if (next().text == "else") s->otherwise = block_body({"endif"}, true);
    return s;
  }
}

void Parser::parse_signature(MacroStmt& macro) {
  expect_op("(");
  while (!is_op(")")) {
    if (!macro.parameters.empty()) expect_op(",");
    int line = current().line;
    int name = intern(expect_any_name());
    for (int other : macro.parameters)
      if (other == name) syntax_error(line, fmt::format("duplicate argument '{}' in macro definition", syntax_.names[static_cast<size_t>(name)]));
    if (skip_op("=")) {
      macro.defaults.push_back(parse_expression());
    } else if (!macro.defaults.empty()) {
      syntax_error(line, "non-default argument follows default argument");
    }
    macro.parameters.push_back(name);
  }
  expect_op(")");
}

std::unique_ptr<Stmt> Parser::parse_macro() {
  auto s = std::make_unique<MacroStmt>(next().line);
  s->name = intern(expect_any_name());
  parse_signature(*s);
  s->body = function_body({"endmacro"});
  return s;
}

std::unique_ptr<Stmt> Parser::parse_call_block() {
  auto s = std::make_unique<CallBlockStmt>(next().line);
  s->caller = std::make_unique<MacroStmt>(s->line);
  if (is_op("(")) parse_signature(*s->caller);
  s->call = parse_expression();
  if (s->call->kind != ExprKind::call) syntax_error(s->line, "expected call");
  s->caller->body = function_body({"endcall"});
  return s;
}

std::unique_ptr<Stmt> Parser::parse_generation() {
  auto s = std::make_unique<CallBlockStmt>(next().line);
  s->caller = std::make_unique<MacroStmt>(s->line);
  s->caller->body = function_body({"endgeneration"});
  return s;
}

std::unique_ptr<Stmt> Parser::parse_filter_block() {
  auto s = std::make_unique<FilterBlockStmt>(next().line);
  s->filter = parse_filter_chain(nullptr, true);
  s->body = block_body({"endfilter"}, true);
  return s;
}

std::unique_ptr<Stmt> Parser::parse_with() {
  auto s = std::make_unique<WithStmt>(next().line);
  while (current().kind != TokenKind::block_end) {
    if (!s->targets.empty()) expect_op(",");
    s->targets.push_back(parse_target(false, false));
    expect_op("=");
    s->values.push_back(parse_expression());
  }
  s->body = block_body({"endwith"}, true);
  return s;
}

std::unique_ptr<Stmt> Parser::parse_set() {
  int line = next().line;
  Target target = parse_target(true, true);
  if (skip_op("=")) {
    auto s = std::make_unique<SetStmt>(line);
    s->target = std::move(target);
    s->value = parse_tuple(true, false);
    return s;
  }
  auto s = std::make_unique<SetBlockStmt>(line);
  s->target = std::move(target);
  s->filter = parse_filter_chain(nullptr, false);
  s->body = block_body({"endset"}, true);
  return s;
}

std::unique_ptr<Stmt> Parser::parse_block() {
  auto s = std::make_unique<BlockStmt>(next().line);
  s->name = std::string(expect_any_name());
  for (auto& other : blocks_)
    if (other == s->name) syntax_error(s->line, fmt::format("block '{}' defined twice", s->name));
  blocks_.push_back(s->name);
  s->scoped = skip_name("scoped");
  if (is_name("required")) syntax_error(s->line, "a required block needs a child template, and a chat template stands alone");
  s->body = function_body({"endblock"});
  skip_name(s->name);
  return s;
}

std::shared_ptr<const Syntax> parse_template(std::string_view source, const TemplateLimits& limits) {
  if (source.size() > limits.source_bytes)
    syntax_error(1, fmt::format("the template has {} bytes, more than the {} allowed", source.size(), limits.source_bytes));
  std::string normal = normalize_source(valid_utf8(source));
  auto syntax = std::make_shared<Syntax>(Parser(tokenize(normal), limits.nesting).take());
  plan_scopes(*syntax);
  return syntax;
}

}  // namespace motley::jinja
