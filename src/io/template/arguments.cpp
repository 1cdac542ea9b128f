#include "io/template/arguments.h"

#include "io/template/render.h"

namespace motley::jinja {

int64_t as_index(const Value& v) {
  if (v.is_integral()) return v.integer();
  if (v.is_undefined()) raise_undefined(v.undefined());
  type_error(fmt::format("'{}' object cannot be interpreted as an integer", type_name(v)));
}

Bound::Bound(Args& args, std::string_view function, std::initializer_list<std::string_view> names, size_t required) : values_(names.size()) {
  if (args.positional.size() > names.size())
    type_error(fmt::format("{}() takes at most {} arguments ({} given)", function, names.size(), args.positional.size()));
  for (size_t i = 0; i < args.positional.size(); ++i) values_[i] = args.positional[i];
  for (auto& [key, value] : args.named) {
    size_t i = 0;
    while (i < names.size() && *(names.begin() + i) != key) ++i;
    if (i == names.size()) type_error(fmt::format("{}() got an unexpected keyword argument '{}'", function, key));
    if (values_[i]) type_error(fmt::format("{}() got multiple values for argument '{}'", function, key));
    values_[i] = value;
  }
  for (size_t i = 0; i < required; ++i)
    if (!values_[i]) type_error(fmt::format("{}() missing required argument '{}'", function, *(names.begin() + i)));
}

Value dict_from_args(Render& render, Args& args) {
  if (args.positional.size() > 1) type_error(fmt::format("dict expected at most 1 argument, got {}", args.positional.size()));
  Dict::Items items;
  if (!args.positional.empty()) {
    const Value& from = args.positional[0];
    if (from.is(Kind::dict)) {
      items = from.dict().items;
    } else {
      Pull pull = iterate(render.heap, from);
      Value pair;
      for (size_t i = 0; pull(pair); ++i) {
        if (!is_iterable(pair)) type_error(fmt::format("cannot convert dictionary update sequence element #{} to a sequence", i));
        std::vector<Value> two = to_vector(render.heap, pair);
        if (two.size() != 2) value_error(fmt::format("dictionary update sequence element #{} has length {}; 2 is required", i, two.size()));
        items.emplace_back(std::move(two[0]), std::move(two[1]));
      }
    }
  }
  for (auto& [key, value] : args.named) items.emplace_back(render.text(key), value);
  return render.heap.dict(std::move(items));
}

}  // namespace motley::jinja
