// JSON from strangers: nlohmann's parser behind bounds. Nesting deeper than max_depth, a duplicate key, trailing bytes and malformed
// text are Error(file) naming what was read and the byte offset.
//
//   Json config = parse_json(read_file(path, kMaxConfigBytes), path);
//   int64_t layers = json_int(config, "num_hidden_layers", path);
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "io/json_fwd.h"

namespace motley {

struct JsonLimits {
  int max_depth = 64;
  bool reject_duplicate_keys = true;
  int64_t max_values = int64_t{1} << 24;  // of any kind, keys not counted: two bytes of text can become a value of 16 bytes
};

// what: the file name or other words for the error message.
Json parse_json(std::string_view text, std::string_view what, JsonLimits limits = {});

// Typed access that says which key of which file is wrong. The optional forms give nothing when the key is absent or null.
std::optional<int64_t> json_find_int(const Json& object, const char* key, std::string_view what);
std::optional<double> json_find_double(const Json& object, const char* key, std::string_view what);
std::optional<bool> json_find_bool(const Json& object, const char* key, std::string_view what);
std::optional<std::string> json_find_string(const Json& object, const char* key, std::string_view what);
int64_t json_int(const Json& object, const char* key, std::string_view what);
std::string json_string(const Json& object, const char* key, std::string_view what);

}  // namespace motley
