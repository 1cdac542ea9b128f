#include "base/check.h"

#include <fmt/core.h>

#include "motley/error.h"

namespace motley {

void check_failed(std::string_view what, const char* path, int line) {
  std::string_view file = path;
  if (auto src = file.rfind("src/"); src != file.npos) file.remove_prefix(src);
  throw Error(ErrorKind::runtime, fmt::format("[internal] {} ({}:{}); please report this", what, file, line));
}

}  // namespace motley
