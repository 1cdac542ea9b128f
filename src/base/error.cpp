#include "base/error.h"

#include "base/text.h"

namespace motley {

void fail_text(ErrorKind kind, std::string_view operation, std::string_view message) {
  // Words out of a stranger's file must not reach a terminal as commands to it.
  throw Error(kind, fmt::format("[{}] {}", operation, printable_lines(message)));
}

}  // namespace motley
