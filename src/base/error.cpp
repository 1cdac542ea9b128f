#include "base/error.h"

namespace motley {

void fail_text(ErrorKind kind, std::string_view operation, std::string_view message) {
  throw Error(kind, fmt::format("[{}] {}", operation, message));
}

}  // namespace motley
