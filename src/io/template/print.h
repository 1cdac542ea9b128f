// Values as Python prints them.
//
//   print_repr(heap, v, out);     // ['a', 1, 2.0, None]
#pragma once
#include <string>

#include "io/template/value.h"

namespace motley::jinja {

std::string print_float(double d);                           // the shortest digits that read back, as repr(d)
void print_text_repr(std::string& out, std::string_view s);  // with Python's choice of quotes and escapes
void print_str(Heap& heap, const Value& v, std::string& out);
void print_repr(Heap& heap, const Value& v, std::string& out);

}  // namespace motley::jinja
