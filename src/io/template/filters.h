// The filters: what stands behind a | in a template. One table, in filters.cpp, names them; the work is done in
// filters_text.cpp, filters_number.cpp, filters_list.cpp and filters_select.cpp.
//
//   Value loud = find_filter("upper")->apply(render, heap.text("hi"), no_args);
#pragma once
#include <string_view>

#include "io/template/render.h"

namespace motley::jinja {

using FilterFunction = Value (*)(Render&, const Value& input, Args&);
struct Filter {
  std::string_view name;
  FilterFunction apply;
};
const Filter* find_filter(std::string_view name);  // nothing for an unknown name

namespace filters {
#define MOTLEY_FILTER(name) Value name(Render& r, const Value& input, Args& args);
// text
MOTLEY_FILTER(capitalize)
MOTLEY_FILTER(center)
MOTLEY_FILTER(escape)
MOTLEY_FILTER(forceescape) MOTLEY_FILTER(format) MOTLEY_FILTER(indent) MOTLEY_FILTER(lower) MOTLEY_FILTER(replace) MOTLEY_FILTER(safe)
    MOTLEY_FILTER(string) MOTLEY_FILTER(striptags) MOTLEY_FILTER(title) MOTLEY_FILTER(trim) MOTLEY_FILTER(truncate) MOTLEY_FILTER(upper)
        MOTLEY_FILTER(urlencode) MOTLEY_FILTER(wordcount) MOTLEY_FILTER(wordwrap) MOTLEY_FILTER(xmlattr) MOTLEY_FILTER(tojson)
    // numbers
    MOTLEY_FILTER(absolute) MOTLEY_FILTER(filesizeformat) MOTLEY_FILTER(to_float) MOTLEY_FILTER(to_int) MOTLEY_FILTER(round)
    // whole sequences
    MOTLEY_FILTER(attr) MOTLEY_FILTER(batch) MOTLEY_FILTER(use_default) MOTLEY_FILTER(dictsort) MOTLEY_FILTER(first) MOTLEY_FILTER(groupby)
        MOTLEY_FILTER(items) MOTLEY_FILTER(join) MOTLEY_FILTER(last) MOTLEY_FILTER(length) MOTLEY_FILTER(list) MOTLEY_FILTER(maximum)
            MOTLEY_FILTER(minimum) MOTLEY_FILTER(reverse) MOTLEY_FILTER(slices) MOTLEY_FILTER(sort) MOTLEY_FILTER(sum) MOTLEY_FILTER(unique)
    // item by item
    MOTLEY_FILTER(map) MOTLEY_FILTER(reject) MOTLEY_FILTER(rejectattr) MOTLEY_FILTER(select) MOTLEY_FILTER(selectattr)
#undef MOTLEY_FILTER
}  // namespace filters

// The value of `attribute` (a dotted path, or a number) of an item, as sort, map, groupby and others look it up.
using Getter = std::function<Value(const Value&)>;
Getter attribute_getter(Render& r, const Value& attribute, std::optional<Value> otherwise = std::nullopt);
Value ignore_case(Render& r, const Value& v);

}  // namespace motley::jinja
