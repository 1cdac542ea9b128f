// The model that the program carries (models/stories/): a small one that writes children's stories, so that every command has something to
// run on a machine where nothing else is. Its name stands wherever a model's path may, unless a file or folder of that name is there.
//
//   if (std::optional<GgufFile> stories = open_embedded("stories")) ...
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "io/gguf.h"

namespace motley {

inline constexpr std::string_view kEmbeddedModel = "stories";

// Nothing when `path` is not its name, or names what lies on the disk.
std::optional<GgufFile> open_embedded(const std::string& path);

}  // namespace motley
