#include "cli/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace motley {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace

std::string read_input(const std::string& file, const char* operation, uint64_t limit_bytes) {
  const bool standard = file.empty() || file == "-";
  if (!standard && (file_exists(file) || folder_exists(file))) return read_file(file, limit_bytes);
  // A pipe that the user named, such as bash's <(command), is read like standard input.
  Descriptor input{standard ? ::dup(STDIN_FILENO) : ::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  const std::string what = standard ? "standard input" : file;
  if (input.fd < 0) fail(ErrorKind::file, operation, "cannot read {}: {}", what, std::strerror(errno));
  if (isatty(input.fd)) fmt::print(stderr, "motley: reading {}; end it with Ctrl-D\n", what);
  std::string out;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    ssize_t n = ::read(input.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::file, operation, "cannot read {}: {}", what, std::strerror(errno));
    if (n == 0) return out;
    if (out.size() + static_cast<size_t>(n) > limit_bytes)
      fail(ErrorKind::usage, operation, "{} has more than the {} bytes this takes", what, limit_bytes);
    out.append(buffer.data(), static_cast<size_t>(n));
  }
}

bool write_output(const std::string& bytes) { return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0; }

}  // namespace motley
