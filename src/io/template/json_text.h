// JSON as Python's json.dumps writes it, which `tojson` gives.
#pragma once
#include <optional>
#include <string>

#include "io/template/value.h"

namespace motley::jinja {

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // of one level; absent: everything on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

// Fault("TypeError") for what JSON cannot hold: undefined, iterators, namespaces, macros.
std::string to_json(Heap& heap, const Value& v, const JsonStyle& style);

}  // namespace motley::jinja
