#include "io/template/filters.h"

#include <algorithm>
#include <iterator>

namespace motley::jinja {
namespace {

// Sorted, for the binary search below. `random`, `urlize` and `pprint` are left out: prompts are
// reproducible, not HTML, and not for debugging.
constexpr Filter kFilters[] = {{"abs", filters::absolute},
                               {"attr", filters::attr},
                               {"batch", filters::batch},
                               {"capitalize", filters::capitalize},
                               {"center", filters::center},
                               {"count", filters::length},
                               {"d", filters::use_default},
                               {"default", filters::use_default},
                               {"dictsort", filters::dictsort},
                               {"e", filters::escape},
                               {"escape", filters::escape},
                               {"filesizeformat", filters::filesizeformat},
                               {"first", filters::first},
                               {"float", filters::to_float},
                               {"forceescape", filters::forceescape},
                               {"format", filters::format},
                               {"groupby", filters::groupby},
                               {"indent", filters::indent},
                               {"int", filters::to_int},
                               {"items", filters::items},
                               {"join", filters::join},
                               {"last", filters::last},
                               {"length", filters::length},
                               {"list", filters::list},
                               {"lower", filters::lower},
                               {"map", filters::map},
                               {"max", filters::maximum},
                               {"min", filters::minimum},
                               {"reject", filters::reject},
                               {"rejectattr", filters::rejectattr},
                               {"replace", filters::replace},
                               {"reverse", filters::reverse},
                               {"round", filters::round},
                               {"safe", filters::safe},
                               {"select", filters::select},
                               {"selectattr", filters::selectattr},
                               {"slice", filters::slices},
                               {"sort", filters::sort},
                               {"string", filters::string},
                               {"striptags", filters::striptags},
                               {"sum", filters::sum},
                               {"title", filters::title},
                               {"tojson", filters::tojson},
                               {"trim", filters::trim},
                               {"truncate", filters::truncate},
                               {"unique", filters::unique},
                               {"upper", filters::upper},
                               {"urlencode", filters::urlencode},
                               {"wordcount", filters::wordcount},
                               {"wordwrap", filters::wordwrap},
                               {"xmlattr", filters::xmlattr}};

}  // namespace

const Filter* find_filter(std::string_view name) {
  auto it = std::lower_bound(std::begin(kFilters), std::end(kFilters), name, [](const Filter& f, std::string_view n) { return f.name < n; });
  return it != std::end(kFilters) && it->name == name ? it : nullptr;
}

}  // namespace motley::jinja
