#include "cli/input.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/file.h"

namespace motley {

std::string read_input(const std::string& file, const char* operation, uint64_t limit_bytes) {
  if (!file.empty() && file != "-") return read_file(file, limit_bytes);
  if (isatty(STDIN_FILENO)) fmt::print(stderr, "motley: reading standard input; end it with Ctrl-D\n");
  std::string out;
  char buffer[1 << 16];
  for (;;) {
    ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::runtime, operation, "cannot read standard input: {}", std::strerror(errno));
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > limit_bytes) fail(ErrorKind::usage, operation, "standard input has more than the {} bytes this takes", limit_bytes);
    out.append(buffer, static_cast<size_t>(n));
  }
}

bool write_output(const std::string& bytes) { return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0; }

}  // namespace motley
