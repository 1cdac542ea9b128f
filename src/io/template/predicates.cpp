#include "io/template/predicates.h"

#include "io/template/arguments.h"
#include "io/template/filters.h"
#include "io/template/methods.h"
#include "io/template/operators.h"

namespace motley::jinja {
namespace {

template <bool (*of)(const Value&)>
bool plain(Render&, const Value& v, Args& args) {
  Bound(args, "test", {});
  return of(v);
}

template <Comparison op>
bool compared(Render& r, const Value& v, Args& args) {
  Bound a(args, "test", {"other"}, 1);
  return compare(r, op, v, a[0]);
}

template <int64_t remainder>
bool parity(Render& r, const Value& v, Args& args) {
  Bound(args, "test", {});
  return equal(r.heap, binary(r, Binary::modulo, v, Value(int64_t{2})), Value(remainder));
}

bool divisibleby(Render& r, const Value& v, Args& args) {
  Bound a(args, "divisibleby", {"num"}, 1);
  return equal(r.heap, binary(r, Binary::modulo, v, a[0]), Value(int64_t{0}));
}

template <bool upper>
bool letter_case(Render& r, const Value& v, Args& args) {
  Bound(args, "test", {});
  Args none;
  return truth(find_text_method(upper ? "isupper" : "islower")(r, r.text(r.str(v)), none));
}

bool sameas(Render&, const Value& v, Args& args) {
  Bound a(args, "sameas", {"other"}, 1);
  if (v.kind() != a[0].kind()) return false;
  switch (v.kind()) {
    case Kind::none:
      return true;
    case Kind::boolean:
      return v.boolean() == a[0].boolean();
    // Python shares small integers and the empty tuple; larger numbers are the same object only by accident.
    case Kind::integer:
      return v.integer() == a[0].integer();
    case Kind::real:
      return false;
    default:
      return v.identity() == a[0].identity();
  }
}

bool has_filter(Render& r, const Value& v, Args& args) {
  Bound(args, "filter", {});
  hash_of(r.heap, v);  // a list cannot be looked up, and says so
  return v.is_text() && find_filter(view(v));
}
bool has_test(Render& r, const Value& v, Args& args) {
  Bound(args, "test", {});
  hash_of(r.heap, v);
  return v.is_text() && find_predicate(view(v));
}

bool defined(const Value& v) { return !v.is_undefined(); }
bool undefined(const Value& v) { return v.is_undefined(); }
bool none(const Value& v) { return v.is_none(); }
bool boolean(const Value& v) { return v.is(Kind::boolean); }
bool is_true(const Value& v) { return v.is(Kind::boolean) && v.boolean(); }
bool is_false(const Value& v) { return v.is(Kind::boolean) && !v.boolean(); }
bool integer(const Value& v) { return v.is(Kind::integer); }
bool real(const Value& v) { return v.is(Kind::real); }
bool number(const Value& v) { return v.is_number(); }
bool string(const Value& v) { return v.is_text(); }
bool mapping(const Value& v) { return v.is(Kind::dict); }
bool sequence(const Value& v) { return v.is_text() || v.is(Kind::list) || v.is(Kind::dict) || v.is_undefined() || as<Range>(v, ObjectKind::range); }
bool iterable(const Value& v) { return is_iterable(v); }
bool escaped_text(const Value& v) { return v.is_text() && v.text().markup; }
bool callable(const Value& v) {
  if (v.is_undefined()) return true;  // Undefined has a __call__, which raises
  if (!v.is(Kind::object)) return false;
  auto k = v.object()->kind;
  return k == ObjectKind::function || k == ObjectKind::macro || k == ObjectKind::loop || k == ObjectKind::joiner || k == ObjectKind::dict_class;
}

constexpr Predicate kPredicates[] = {{"odd", parity<1>},
                                     {"even", parity<0>},
                                     {"divisibleby", divisibleby},
                                     {"defined", plain<defined>},
                                     {"undefined", plain<undefined>},
                                     {"filter", has_filter},
                                     {"test", has_test},
                                     {"none", plain<none>},
                                     {"boolean", plain<boolean>},
                                     {"false", plain<is_false>},
                                     {"true", plain<is_true>},
                                     {"integer", plain<integer>},
                                     {"float", plain<real>},
                                     {"lower", letter_case<false>},
                                     {"upper", letter_case<true>},
                                     {"string", plain<string>},
                                     {"mapping", plain<mapping>},
                                     {"number", plain<number>},
                                     {"sequence", plain<sequence>},
                                     {"iterable", plain<iterable>},
                                     {"callable", plain<callable>},
                                     {"sameas", sameas},
                                     {"escaped", plain<escaped_text>},
                                     {"in", compared<Comparison::in>},
                                     {"==", compared<Comparison::eq>},
                                     {"eq", compared<Comparison::eq>},
                                     {"equalto", compared<Comparison::eq>},
                                     {"!=", compared<Comparison::ne>},
                                     {"ne", compared<Comparison::ne>},
                                     {">", compared<Comparison::gt>},
                                     {"gt", compared<Comparison::gt>},
                                     {"greaterthan", compared<Comparison::gt>},
                                     {">=", compared<Comparison::ge>},
                                     {"ge", compared<Comparison::ge>},
                                     {"<", compared<Comparison::lt>},
                                     {"lt", compared<Comparison::lt>},
                                     {"lessthan", compared<Comparison::lt>},
                                     {"<=", compared<Comparison::le>},
                                     {"le", compared<Comparison::le>}};

}  // namespace

const Predicate* find_predicate(std::string_view name) {
  for (auto& p : kPredicates)
    if (p.name == name) return &p;
  return nullptr;
}

}  // namespace motley::jinja
