// GGUF models in several parts: name-00001-of-00003.gguf and so on, each a GGUF file that says which part it is.
//
//   std::vector<GgufFile> parts = open_gguf_parts("m-00001-of-00003.gguf");   // all three; any other GGUF file gives itself
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/gguf.h"

namespace motley {

struct GgufSplitName {
  std::string_view prefix;  // "name"
  int part, count;          // counted from 1
};
std::optional<GgufSplitName> parse_gguf_split_name(std::string_view file_name);

// The parts in order, the one with the metadata first; path may be any of them. Error(file) when one is missing or of another set.
std::vector<GgufFile> open_gguf_parts(const std::string& path);

}  // namespace motley
