// Throwing an Error with a formatted message. The message is addressed to the person who can mend it:
// what was being done in brackets, what was expected, what came, what to do.
//
//   fail(ErrorKind::file, "gguf", "{}: tensor '{}' ends at byte {} but the file has {}", path, name, end, size);
//   -> [gguf] model.gguf: tensor 'output' ends at byte 4096 but the file has 1024
#pragma once
#include <fmt/core.h>

#include <string_view>
#include <utility>

#include "motley/error.h"

namespace motley {

[[noreturn]] void fail_text(ErrorKind kind, std::string_view operation, std::string_view message);

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, std::string_view operation, fmt::format_string<Args...> format, Args&&... args) {
  fail_text(kind, operation, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace motley
