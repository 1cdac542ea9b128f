// A parsed template: statements that print or decide, expressions that have a value. Built by parser.h, given its scopes by scope.h,
// walked by render.h. Names are numbers into Syntax::names; every node knows its line for messages and its height, which is bounded so
// that no walk over the tree can exhaust the stack.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/template/value.h"

namespace motley::jinja {

struct Filter;     // filters.h
struct Predicate;  // predicates.h

enum class ExprKind : uint8_t {
  constant,
  name,
  sequence,
  dict,
  unary,
  binary,
  logic,
  concat,
  compare,
  conditional,
  filter,
  test,
  call,
  attribute,
  item,
  slice
};

struct Expr {
  Expr(ExprKind k, int at) : kind(k), line(at) {}
  virtual ~Expr() = default;
  Expr(const Expr&) = delete;
  Expr& operator=(const Expr&) = delete;
  ExprKind kind;
  int line;
  int height = 1;
};
using ExprPtr = std::unique_ptr<Expr>;

struct ConstantExpr : Expr {
  ConstantExpr(int at, Value v) : Expr(ExprKind::constant, at), value(std::move(v)) {}
  Value value;
};
struct NameExpr : Expr {
  NameExpr(int at, int n) : Expr(ExprKind::name, at), name(n) {}
  int name;
};
struct SequenceExpr : Expr {
  SequenceExpr(int at, bool t) : Expr(ExprKind::sequence, at), tuple(t) {}
  bool tuple;
  std::vector<ExprPtr> items;
};
struct DictExpr : Expr {
  explicit DictExpr(int at) : Expr(ExprKind::dict, at) {}
  std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
enum class Unary : uint8_t { negate, plus, logical_not };
struct UnaryExpr : Expr {
  UnaryExpr(int at, Unary o, ExprPtr e) : Expr(ExprKind::unary, at), op(o), operand(std::move(e)) {}
  Unary op;
  ExprPtr operand;
};
enum class Binary : uint8_t { add, subtract, multiply, divide, floor_divide, modulo, power };
struct BinaryExpr : Expr {
  BinaryExpr(int at, Binary o, ExprPtr l, ExprPtr r) : Expr(ExprKind::binary, at), op(o), left(std::move(l)), right(std::move(r)) {}
  Binary op;
  ExprPtr left, right;
};
struct LogicExpr : Expr {  // `and`, `or`
  LogicExpr(int at, bool a, ExprPtr l, ExprPtr r) : Expr(ExprKind::logic, at), both(a), left(std::move(l)), right(std::move(r)) {}
  bool both;
  ExprPtr left, right;
};
struct ConcatExpr : Expr {
  explicit ConcatExpr(int at) : Expr(ExprKind::concat, at) {}
  std::vector<ExprPtr> parts;
};
enum class Comparison : uint8_t { eq, ne, lt, le, gt, ge, in, not_in };
struct CompareExpr : Expr {  // a < b < c: each operand evaluated once
  explicit CompareExpr(int at) : Expr(ExprKind::compare, at) {}
  ExprPtr first;
  std::vector<std::pair<Comparison, ExprPtr>> rest;
};
struct ConditionalExpr : Expr {
  explicit ConditionalExpr(int at) : Expr(ExprKind::conditional, at) {}
  ExprPtr test, yes, no;  // no may be absent
};
struct CallArgs {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star, star_star;
};
struct FilterExpr : Expr {
  FilterExpr(int at, std::string n) : Expr(ExprKind::filter, at), name(std::move(n)) {}
  ExprPtr input;  // absent at the start of a filter block: the block's text
  std::string name;
  const Filter* filter = nullptr;  // absent for an unknown name inside an `if`, which is only an error when reached
  CallArgs args;
};
struct TestExpr : Expr {
  TestExpr(int at, std::string n) : Expr(ExprKind::test, at), name(std::move(n)) {}
  ExprPtr input;
  std::string name;
  const Predicate* predicate = nullptr;
  CallArgs args;
};
struct CallExpr : Expr {
  explicit CallExpr(int at) : Expr(ExprKind::call, at) {}
  ExprPtr callee;
  CallArgs args;
};
struct AttributeExpr : Expr {
  AttributeExpr(int at, ExprPtr o, std::string n) : Expr(ExprKind::attribute, at), object(std::move(o)), name(std::move(n)) {}
  ExprPtr object;
  std::string name;
};
struct ItemExpr : Expr {
  ItemExpr(int at, ExprPtr o, ExprPtr i) : Expr(ExprKind::item, at), object(std::move(o)), index(std::move(i)) {}
  ExprPtr object, index;
};
struct SliceExpr : Expr {
  explicit SliceExpr(int at) : Expr(ExprKind::slice, at) {}
  ExprPtr start, stop, step;  // each may be absent
};

// Where a value is stored: a name, an attribute of a namespace, or several of these.
struct Target {
  int line = 0;
  int name = -1;
  std::string attribute;  // of the namespace called name
  bool tuple = false;
  std::vector<Target> items;
};

// What a scope does to each of its names when it is entered; see scope.h.
enum class Entry : uint8_t { parameter, resolve, alias, missing };
using ScopePlan = std::vector<std::pair<int, Entry>>;

enum class StmtKind : uint8_t { data, print, branch, loop, macro, call_block, filter_block, with, set, set_block, block, break_loop, continue_loop };

struct Stmt {
  Stmt(StmtKind k, int at) : kind(k), line(at) {}
  virtual ~Stmt() = default;
  Stmt(const Stmt&) = delete;
  Stmt& operator=(const Stmt&) = delete;
  StmtKind kind;
  int line;
};
using Body = std::vector<std::unique_ptr<Stmt>>;

struct DataStmt : Stmt {
  DataStmt(int at, std::string t) : Stmt(StmtKind::data, at), text(std::move(t)) {}
  std::string text;
};
struct PrintStmt : Stmt {
  PrintStmt(int at, ExprPtr v) : Stmt(StmtKind::print, at), value(std::move(v)) {}
  ExprPtr value;
};
struct IfStmt : Stmt {
  explicit IfStmt(int at) : Stmt(StmtKind::branch, at) {}
  std::vector<std::pair<ExprPtr, Body>> branches;
  Body otherwise;
};
struct ForStmt : Stmt {
  explicit ForStmt(int at) : Stmt(StmtKind::loop, at) {}
  Target target;
  ExprPtr iterable, filter;  // filter may be absent
  bool recursive = false;
  Body body, otherwise;
  ScopePlan body_plan, filter_plan, otherwise_plan;
};
struct MacroStmt : Stmt {
  explicit MacroStmt(int at) : Stmt(StmtKind::macro, at) {}
  int name = -1;  // none for the body of a call block
  std::vector<int> parameters;
  std::vector<ExprPtr> defaults;  // of the last parameters
  Body body;
  ScopePlan plan;
  bool takes_caller = false, takes_kwargs = false, takes_varargs = false;  // whether the body mentions them
  bool explicit_caller = false;                                            // `caller` is among the parameters
};
struct CallBlockStmt : Stmt {  // also a generation block, whose call is absent: it only prints its body
  explicit CallBlockStmt(int at) : Stmt(StmtKind::call_block, at) {}
  ExprPtr call;
  std::unique_ptr<MacroStmt> caller;
};
struct FilterBlockStmt : Stmt {
  explicit FilterBlockStmt(int at) : Stmt(StmtKind::filter_block, at) {}
  ExprPtr filter;
  Body body;
  ScopePlan plan;
};
struct WithStmt : Stmt {
  explicit WithStmt(int at) : Stmt(StmtKind::with, at) {}
  std::vector<Target> targets;
  std::vector<ExprPtr> values;
  Body body;
  ScopePlan plan;
};
struct SetStmt : Stmt {
  explicit SetStmt(int at) : Stmt(StmtKind::set, at) {}
  Target target;
  ExprPtr value;
};
struct SetBlockStmt : Stmt {
  explicit SetBlockStmt(int at) : Stmt(StmtKind::set_block, at) {}
  Target target;
  ExprPtr filter;  // may be absent
  Body body;
  ScopePlan plan;
};
struct BlockStmt : Stmt {  // {% block name %}: templates here have no parents, so it is printed where it stands
  explicit BlockStmt(int at) : Stmt(StmtKind::block, at) {}
  std::string name;
  bool scoped = false;
  Body body;
  ScopePlan plan;
};
struct JumpStmt : Stmt {
  JumpStmt(int at, StmtKind k) : Stmt(k, at) {}
};

struct Syntax {
  std::vector<std::string> names;
  Body body;
  ScopePlan plan;
};

}  // namespace motley::jinja
