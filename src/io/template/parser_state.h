// The parser's hand on the token stream, shared by its two halves: parser.cpp reads statements, parse_expression.cpp expressions.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "io/template/ast.h"
#include "io/template/lexer.h"

namespace motley::jinja {

class Parser {
 public:
  Parser(std::vector<Token> tokens, int nesting_limit) : tokens_(std::move(tokens)), nesting_limit_(nesting_limit) {}
  Syntax take();

 private:
  // --- tokens
  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& next() { return at_ + 1 < tokens_.size() ? tokens_[at_++] : tokens_[at_]; }
  bool is_op(std::string_view op) const { return current().kind == TokenKind::op && current().text == op; }
  bool is_name(std::string_view name) const { return current().kind == TokenKind::name && current().text == name; }
  bool skip_op(std::string_view op) { return is_op(op) && (next(), true); }
  bool skip_name(std::string_view name) { return is_name(name) && (next(), true); }
  void expect_op(std::string_view op);
  void expect_name(std::string_view name);
  std::string_view expect_any_name();
  [[noreturn]] void unexpected(std::string_view wanted) const;
  int intern(std::string_view name);

  class Nested {
   public:
    explicit Nested(Parser& p);
    ~Nested() { --parser_.nesting_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Parser& parser_;
  };
  template <class T>
  ExprPtr finish(std::unique_ptr<T> e, std::initializer_list<const Expr*> children, const CallArgs* args = nullptr);
  ExprPtr finish(ExprPtr e, int deepest_child) const;

  // --- statements
  using Ends = std::initializer_list<std::string_view>;
  Body statements(Ends ends, bool drop_end);
  void statement(Body& out);
  Body block_body(Ends ends, bool drop_end);
  std::unique_ptr<Stmt> parse_for();
  std::unique_ptr<Stmt> parse_if();
  std::unique_ptr<Stmt> parse_macro();
  std::unique_ptr<Stmt> parse_call_block();
  std::unique_ptr<Stmt> parse_generation();
  std::unique_ptr<Stmt> parse_filter_block();
  std::unique_ptr<Stmt> parse_with();
  std::unique_ptr<Stmt> parse_set();
  std::unique_ptr<Stmt> parse_block();
  void parse_signature(MacroStmt& macro);
  Target parse_target(bool with_namespace, bool stores);
  Target parse_target_primary(bool with_namespace, bool stores);
  Body function_body(Ends ends);  // of a macro or call block: a loop around it cannot be left from inside

  // --- expressions
  ExprPtr parse_tuple(bool with_conditional, bool explicit_parentheses, bool ends_at_recursive = false);
  ExprPtr parse_expression(bool with_conditional = true);
  ExprPtr parse_conditional();
  ExprPtr parse_or();
  ExprPtr parse_and();
  ExprPtr parse_not();
  ExprPtr parse_compare();
  ExprPtr parse_sum();
  ExprPtr parse_concat();
  ExprPtr parse_product();
  ExprPtr parse_power();
  ExprPtr parse_unary(bool with_filter = true);
  ExprPtr parse_primary();
  ExprPtr parse_number();
  ExprPtr parse_list();
  ExprPtr parse_dict();
  ExprPtr parse_postfix(ExprPtr e);
  ExprPtr parse_filters(ExprPtr e);
  ExprPtr parse_filter(ExprPtr input);
  ExprPtr parse_filter_chain(ExprPtr input, bool start_inline);
  ExprPtr parse_test(ExprPtr input);
  ExprPtr parse_call(ExprPtr callee);
  ExprPtr parse_subscript(ExprPtr object);
  ExprPtr parse_subscribed();
  CallArgs parse_args();
  std::string dotted_name();
  bool at_tuple_end(bool ends_at_recursive) const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int nesting_limit_;
  int nesting_ = 0;
  int loops_ = 0;       // around the statement within its function: where break and continue mean something
  int for_blocks_ = 0;  // around the statement anywhere: where the name loop is taken
  Syntax syntax_;
  std::unordered_map<std::string_view, int> ids_;
  std::vector<std::string> blocks_;
};

int height_of(const CallArgs& args);

template <class T>
ExprPtr Parser::finish(std::unique_ptr<T> e, std::initializer_list<const Expr*> children, const CallArgs* args) {
  int deepest = args ? height_of(*args) : 0;
  for (const Expr* child : children)
    if (child) deepest = std::max(deepest, child->height);
  return finish(ExprPtr(std::move(e)), deepest);
}

}  // namespace motley::jinja
