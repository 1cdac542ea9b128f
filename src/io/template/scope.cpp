#include "io/template/scope.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "io/template/filters.h"
#include "io/template/lexer.h"
#include "io/template/predicates.h"

namespace motley::jinja {
namespace {

// The names of one scope while it is being planned, or what one branch of an `if` changes in them (then base is what it started from): a
// copy for every branch would make a template of many names and many branches quadratic.
struct Symbols {
  const Symbols* parent = nullptr;  // of the scope around this one
  const Symbols* base = nullptr;
  std::map<int, Entry> loads;  // every name of this scope
  std::set<int> stores;

  bool here(int name) const { return loads.contains(name) || (base && base->here(name)); }
  bool stored(int name) const { return stores.contains(name) || (base && base->stored(name)); }
  bool found_outside(int name) const { return parent && parent->found(name); }
  bool found(int name) const { return here(name) || found_outside(name); }
  void load(int name) {
    if (!found(name)) loads[name] = Entry::resolve;
  }
  void store(int name) {
    stores.insert(name);
    if (!here(name)) loads[name] = found_outside(name) ? Entry::alias : Entry::missing;
  }
  void parameter(int name) {
    stores.insert(name);
    loads[name] = Entry::parameter;
  }
  Symbols branch() const { return {.parent = parent, .base = this, .loads = {}, .stores = {}}; }
  Symbols inner() const { return {.parent = this, .base = nullptr, .loads = {}, .stores = {}}; }
  // After the branches of an `if`: what only some of them set may still be what it was before.
  void merge(std::initializer_list<const Symbols*> branches) {
    std::set<int> fresh;
    for (auto* b : branches)
      for (int name : b->stores)
        if (!stored(name)) fresh.insert(name);
    for (auto* b : branches) {
      for (auto& [name, entry] : b->loads) loads[name] = entry;
      stores.insert(b->stores.begin(), b->stores.end());
    }
    for (int name : fresh) loads[name] = found_outside(name) ? Entry::alias : Entry::resolve;
  }
  ScopePlan plan() const { return {loads.begin(), loads.end()}; }
};

template <class Visit>
void for_each_arg(const CallArgs& args, Visit visit) {
  for (auto& e : args.positional) visit(*e);
  for (auto& [name, e] : args.named) visit(*e);
  if (args.star) visit(*args.star);
  if (args.star_star) visit(*args.star_star);
}

template <class Visit>
void for_each_child(const Expr& e, Visit visit) {
  auto maybe = [&](const ExprPtr& child) {
    if (child) visit(*child);
  };
  switch (e.kind) {
    case ExprKind::constant:
    case ExprKind::name:
      return;
    case ExprKind::sequence:
      for (auto& item : static_cast<const SequenceExpr&>(e).items) visit(*item);
      return;
    case ExprKind::dict:
      for (auto& [key, value] : static_cast<const DictExpr&>(e).items) visit(*key), visit(*value);
      return;
    case ExprKind::unary:
      return visit(*static_cast<const UnaryExpr&>(e).operand);
    case ExprKind::binary:
      return visit(*static_cast<const BinaryExpr&>(e).left), visit(*static_cast<const BinaryExpr&>(e).right);
    case ExprKind::logic:
      return visit(*static_cast<const LogicExpr&>(e).left), visit(*static_cast<const LogicExpr&>(e).right);
    case ExprKind::concat:
      for (auto& part : static_cast<const ConcatExpr&>(e).parts) visit(*part);
      return;
    case ExprKind::compare: {
      auto& c = static_cast<const CompareExpr&>(e);
      visit(*c.first);
      for (auto& [op, operand] : c.rest) visit(*operand);
      return;
    }
    case ExprKind::conditional: {
      auto& c = static_cast<const ConditionalExpr&>(e);
      maybe(c.test), maybe(c.yes), maybe(c.no);
      return;
    }
    case ExprKind::filter:
      return maybe(static_cast<const FilterExpr&>(e).input), for_each_arg(static_cast<const FilterExpr&>(e).args, visit);
    case ExprKind::test:
      return maybe(static_cast<const TestExpr&>(e).input), for_each_arg(static_cast<const TestExpr&>(e).args, visit);
    case ExprKind::call:
      return visit(*static_cast<const CallExpr&>(e).callee), for_each_arg(static_cast<const CallExpr&>(e).args, visit);
    case ExprKind::attribute:
      return visit(*static_cast<const AttributeExpr&>(e).object);
    case ExprKind::item:
      return visit(*static_cast<const ItemExpr&>(e).object), visit(*static_cast<const ItemExpr&>(e).index);
    case ExprKind::slice: {
      auto& s = static_cast<const SliceExpr&>(e);
      maybe(s.start), maybe(s.stop), maybe(s.step);
      return;
    }
  }
}

template <class Visit>
void for_each_name(const Target& t, Visit visit) {
  if (t.name >= 0) visit(t);
  for (auto& item : t.items) for_each_name(item, visit);
}

// Whether the body of a macro reads one of the special names before it gives it a meaning of its own.
class Mentions {
 public:
  explicit Mentions(int name) : name_(name) {}
  bool in(const Body& body) {
    visit(body);
    return read_;
  }

 private:
  void visit(const Expr& e) {
    if (e.kind == ExprKind::name && static_cast<const NameExpr&>(e).name == name_ && !declared_) read_ = true;
    for_each_child(e, [&](const Expr& child) { visit(child); });
  }
  void visit(const ExprPtr& e) {
    if (e) visit(*e);
  }
  void visit(const Target& t) {
    for_each_name(t, [&](const Target& x) { declared_ = declared_ || (x.name == name_ && x.attribute.empty()); });
  }
  void visit(const MacroStmt& m) {
    for (int p : m.parameters) declared_ = declared_ || p == name_;
    for (auto& d : m.defaults) visit(d);
    visit(m.body);
  }
  void visit(const Body& body) {
    for (auto& s : body) visit(*s);
  }
  void visit(const Stmt& stmt) {
    switch (stmt.kind) {
      case StmtKind::print:
        return visit(static_cast<const PrintStmt&>(stmt).value);
      case StmtKind::branch: {
        auto& s = static_cast<const IfStmt&>(stmt);
        for (auto& [test, body] : s.branches) visit(test), visit(body);
        return visit(s.otherwise);
      }
      case StmtKind::loop: {
        auto& s = static_cast<const ForStmt&>(stmt);
        return visit(s.target), visit(s.iterable), visit(s.body), visit(s.otherwise), visit(s.filter);
      }
      case StmtKind::macro:
        return visit(static_cast<const MacroStmt&>(stmt));
      case StmtKind::call_block: {
        auto& s = static_cast<const CallBlockStmt&>(stmt);
        return visit(s.call), visit(*s.caller);
      }
      case StmtKind::filter_block:
        return visit(static_cast<const FilterBlockStmt&>(stmt).body), visit(static_cast<const FilterBlockStmt&>(stmt).filter);
      case StmtKind::with: {
        auto& s = static_cast<const WithStmt&>(stmt);
        for (auto& t : s.targets) visit(t);
        for (auto& v : s.values) visit(v);
        return visit(s.body);
      }
      case StmtKind::set:
        return visit(static_cast<const SetStmt&>(stmt).target), visit(static_cast<const SetStmt&>(stmt).value);
      case StmtKind::set_block: {
        auto& s = static_cast<const SetBlockStmt&>(stmt);
        return visit(s.target), visit(s.filter), visit(s.body);
      }
      default:
        return;
    }
  }
  int name_;
  bool declared_ = false, read_ = false;
};

class Planner {
 public:
  explicit Planner(Syntax& syntax)
      : syntax_(syntax), loop_(id_of("loop")), caller_(id_of("caller")), kwargs_(id_of("kwargs")), varargs_(id_of("varargs")) {}

  void run() {
    Symbols root;
    collect(syntax_.body, root);
    syntax_.plan = root.plan();
    descend(syntax_.body, root, false);
  }

 private:
  // --- first pass over a scope: its own names, not looking into inner scopes
  void collect(const Expr& e, Symbols& symbols) {
    if (e.kind == ExprKind::name) symbols.load(static_cast<const NameExpr&>(e).name);
    for_each_child(e, [&](const Expr& child) { collect(child, symbols); });
  }
  void collect(const ExprPtr& e, Symbols& symbols) {
    if (e) collect(*e, symbols);
  }
  void collect(const Target& target, Symbols& symbols) {
    for_each_name(target, [&](const Target& t) { t.attribute.empty() ? symbols.store(t.name) : symbols.load(t.name); });
  }
  void collect(const Body& body, Symbols& symbols) {
    for (auto& s : body) collect(*s, symbols);
  }
  void collect(const Stmt& stmt, Symbols& symbols) {
    switch (stmt.kind) {
      case StmtKind::print:
        return collect(static_cast<const PrintStmt&>(stmt).value, symbols);
      case StmtKind::branch:
        return collect_if(static_cast<const IfStmt&>(stmt), symbols);
      case StmtKind::loop:
        return collect(static_cast<const ForStmt&>(stmt).iterable, symbols);
      case StmtKind::macro:
        return symbols.store(static_cast<const MacroStmt&>(stmt).name);
      case StmtKind::call_block:
        return collect(static_cast<const CallBlockStmt&>(stmt).call, symbols);
      case StmtKind::filter_block:
        return collect(static_cast<const FilterBlockStmt&>(stmt).filter, symbols);
      case StmtKind::with:
        for (auto& v : static_cast<const WithStmt&>(stmt).values) collect(v, symbols);
        return;
      case StmtKind::set: {
        auto& s = static_cast<const SetStmt&>(stmt);
        collect(s.value, symbols);
        return collect(s.target, symbols);
      }
      case StmtKind::set_block:
        return collect(static_cast<const SetBlockStmt&>(stmt).target, symbols);
      default:
        return;
    }
  }
  void collect_if(const IfStmt& s, Symbols& symbols) {
    collect(s.branches[0].first, symbols);
    Symbols body = symbols.branch(), elifs = symbols.branch(), otherwise = symbols.branch();
    collect(s.branches[0].second, body);
    // Jinja holds every elif as an `if` of its own, one after the other inside one branch.
    for (size_t i = 1; i < s.branches.size(); ++i) {
      collect(s.branches[i].first, elifs);
      Symbols inner = elifs.branch();
      collect(s.branches[i].second, inner);
      elifs.merge({&inner});
    }
    collect(s.otherwise, otherwise);
    symbols.merge({&body, &elifs, &otherwise});
  }

  // --- second pass: inner scopes, and the names of filters and tests. soft: inside an `if`, where an unknown one may never be reached
  void check(Expr& e, bool soft) {
    if (e.kind == ExprKind::filter) {
      auto& f = static_cast<FilterExpr&>(e);
      f.filter = find_filter(f.name);
      if (!f.filter && !soft) throw Fault("TemplateAssertionError", fmt::format("No filter named '{}'. (line {})", f.name, e.line));
    } else if (e.kind == ExprKind::test) {
      auto& t = static_cast<TestExpr&>(e);
      t.predicate = find_predicate(t.name);
      if (!t.predicate && !soft) throw Fault("TemplateAssertionError", fmt::format("No test named '{}'. (line {})", t.name, e.line));
    }
    bool inner_soft = soft || e.kind == ExprKind::conditional;
    for_each_child(e, [&](const Expr& child) { check(const_cast<Expr&>(child), inner_soft); });
  }
  void check(ExprPtr& e, bool soft) {
    if (e) check(*e, soft);
  }

  void descend(Body& body, const Symbols& symbols, bool soft) {
    for (auto& s : body) descend(*s, symbols, soft);
  }
  void descend(Stmt& stmt, const Symbols& symbols, bool soft) {
    switch (stmt.kind) {
      case StmtKind::print:
        return check(static_cast<PrintStmt&>(stmt).value, soft);
      case StmtKind::branch: {
        auto& s = static_cast<IfStmt&>(stmt);
        for (auto& [test, body] : s.branches) check(test, true), descend(body, symbols, true);
        return descend(s.otherwise, symbols, true);
      }
      case StmtKind::loop:
        return descend_for(static_cast<ForStmt&>(stmt), symbols, soft);
      case StmtKind::macro:
        return descend_macro(static_cast<MacroStmt&>(stmt), symbols);
      case StmtKind::call_block: {
        auto& s = static_cast<CallBlockStmt&>(stmt);
        check(s.call, soft);
        return descend_macro(*s.caller, symbols);
      }
      case StmtKind::filter_block: {
        auto& s = static_cast<FilterBlockStmt&>(stmt);
        Symbols inner = symbols.inner();
        collect(s.body, inner);
        collect(s.filter, inner);
        s.plan = inner.plan();
        check(s.filter, false);
        return descend(s.body, inner, false);
      }
      case StmtKind::with: {
        auto& s = static_cast<WithStmt&>(stmt);
        for (auto& v : s.values) check(v, soft);
        Symbols inner = symbols.inner();
        for (auto& t : s.targets) for_each_name(t, [&](const Target& x) { inner.parameter(x.name); });
        collect(s.body, inner);
        s.plan = inner.plan();
        return descend(s.body, inner, false);
      }
      case StmtKind::set:
        return check(static_cast<SetStmt&>(stmt).value, soft);
      case StmtKind::set_block: {
        auto& s = static_cast<SetBlockStmt&>(stmt);
        Symbols inner = symbols.inner();
        collect(s.body, inner);
        collect(s.filter, inner);
        s.plan = inner.plan();
        check(s.filter, false);
        return descend(s.body, inner, false);
      }
      case StmtKind::block: {
        auto& s = static_cast<BlockStmt&>(stmt);
        Symbols root;
        collect(s.body, root);
        s.plan = root.plan();
        return descend(s.body, root, false);
      }
      default:
        return;
    }
  }

  void descend_for(ForStmt& s, const Symbols& symbols, bool soft) {
    check(s.iterable, soft);
    Symbols body = symbols.inner();
    if (loop_ >= 0) body.parameter(loop_);
    for_each_name(s.target, [&](const Target& t) { body.parameter(t.name); });
    collect(s.body, body);
    s.body_plan = body.plan();
    Symbols filter = symbols.inner();
    if (s.filter) {
      for_each_name(s.target, [&](const Target& t) { filter.parameter(t.name); });
      collect(s.filter, filter);
      check(s.filter, false);
    }
    s.filter_plan = filter.plan();
    Symbols otherwise = symbols.inner();
    collect(s.otherwise, otherwise);
    s.otherwise_plan = otherwise.plan();
    descend(s.body, body, false);
    descend(s.otherwise, otherwise, false);
  }

  void descend_macro(MacroStmt& m, const Symbols& symbols) {
    Symbols inner = symbols.inner();
    for (int p : m.parameters) inner.parameter(p);
    for (auto& d : m.defaults) collect(d, inner), check(d, false);
    collect(m.body, inner);
    auto special = [&](int id, bool& takes) {
      if (id < 0 || !Mentions(id).in(m.body)) return;
      size_t at = 0;
      while (at < m.parameters.size() && m.parameters[at] != id) ++at;
      bool declared = at < m.parameters.size();
      if (id == caller_) {
        if (declared && at < m.parameters.size() - m.defaults.size())
          syntax_error(m.line, "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.");
        m.explicit_caller = declared;
        takes = true;
      } else {
        takes = !declared;
      }
      if (!declared) inner.parameter(id);
    };
    special(caller_, m.takes_caller);
    special(kwargs_, m.takes_kwargs);
    special(varargs_, m.takes_varargs);
    m.plan = inner.plan();
    descend(m.body, inner, false);
  }

  int id_of(std::string_view name) const {
    for (size_t i = 0; i < syntax_.names.size(); ++i)
      if (syntax_.names[i] == name) return static_cast<int>(i);
    return -1;
  }

  Syntax& syntax_;
  int loop_, caller_, kwargs_, varargs_;  // -1 where the template does not say the word
};

}  // namespace

void plan_scopes(Syntax& syntax) { Planner(syntax).run(); }

}  // namespace motley::jinja
