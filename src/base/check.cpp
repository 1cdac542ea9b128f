#include "base/check.h"

#include <fmt/core.h>

#include "motley/error.h"

namespace motley {

void check_failed(std::string_view what, const std::source_location& where) {
  std::string_view file = where.file_name();
  if (auto src = file.rfind("src/"); src != file.npos) file.remove_prefix(src);
  throw Error(ErrorKind::runtime, fmt::format("[internal] {} ({}:{}); please report this", what, file, where.line()));
}

}  // namespace motley
