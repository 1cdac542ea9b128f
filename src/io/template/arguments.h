// The arguments of a call matched to the names of a function's parameters, as Python does it.
//
//   Bound a(args, "indent", {"width", "first", "blank"});
//   int64_t width = a.integer(0, 4);        // TypeError when given and not a number
#pragma once
#include <fmt/format.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/template/objects.h"

namespace motley::jinja {

// v as a whole number where Python takes one (int, bool); TypeError otherwise.
int64_t as_index(const Value& v);

class Bound {
 public:
  Bound(Args& args, std::string_view function, std::initializer_list<std::string_view> names, size_t required = 0);
  bool has(size_t i) const { return values_[i].has_value(); }
  bool given(size_t i) const { return has(i) && !values_[i]->is_none(); }  // where None means the same as absent
  const Value& operator[](size_t i) const { return *values_[i]; }
  Value get(size_t i, Value otherwise) const { return has(i) ? *values_[i] : std::move(otherwise); }
  int64_t integer(size_t i, int64_t otherwise) const { return has(i) ? as_index(*values_[i]) : otherwise; }
  bool flag(size_t i, bool otherwise) const { return has(i) ? truth(*values_[i]) : otherwise; }

 private:
  std::vector<std::optional<Value>> values_;
};

// dict(pairs or mapping, name=value...)
Value dict_from_args(Render& render, Args& args);

}  // namespace motley::jinja
