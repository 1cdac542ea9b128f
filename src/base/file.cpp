#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace motley {
namespace {

std::string reason() { return std::strerror(errno); }

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

bool has_type(const std::string& path, mode_t type) {
  struct stat st {};
  return ::stat(path.c_str(), &st) == 0 && (st.st_mode & S_IFMT) == type;
}

}  // namespace

bool file_exists(const std::string& path) { return has_type(path, S_IFREG); }
bool folder_exists(const std::string& path) { return has_type(path, S_IFDIR); }

std::string read_file(const std::string& path, uint64_t limit_bytes) {
  // O_NONBLOCK: opening a pipe somebody left in a model folder must not hang.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(ErrorKind::file, "read", "cannot open {}: {}", path, reason());
  struct stat st {};
  if (::fstat(file.fd, &st) != 0) fail(ErrorKind::file, "read", "cannot inspect {}: {}", path, reason());
  if (!S_ISREG(st.st_mode)) fail(ErrorKind::file, "read", "{} is not a regular file", path);
  auto size = static_cast<uint64_t>(st.st_size);
  if (size > limit_bytes) fail(ErrorKind::file, "read", "{} has {} bytes, more than the {} such a file may have", path, size, limit_bytes);
  std::string out(size, '\0');
  size_t done = 0;
  while (done < size) {
    ssize_t n = ::read(file.fd, out.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::file, "read", "{}: {}", path, reason());
    if (n == 0) break;  // somebody shortened it while we read
    done += static_cast<size_t>(n);
  }
  out.resize(done);
  return out;
}

void read_pieces(const std::string& path, const std::function<void(std::string_view)>& take) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail(ErrorKind::file, "read", "cannot open {}: {}", path, reason());
  std::string piece(1 << 20, '\0');
  for (ssize_t n; (n = ::read(file.fd, piece.data(), piece.size())) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::file, "read", "{}: {}", path, reason());
    take(std::string_view(piece).substr(0, static_cast<size_t>(n)));
  }
}

void sync_folder(const std::string& path) {
  Descriptor folder{::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd >= 0) ::fsync(folder.fd);
}

void copy_atomically(const std::string& from, const std::string& to) {
  AtomicFile out(to);
  read_pieces(from, [&](std::string_view piece) { out.write(piece); });
  out.commit();
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), temporary_(fmt::format("{}.tmp-{}", path_, ::getpid())) {
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd_ < 0) fail(ErrorKind::runtime, "write", "cannot create {}: {}", temporary_, reason());
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  const std::byte* p = bytes.data();
  size_t left = bytes.size();
  while (left > 0) {
    ssize_t n = ::write(fd_, p, left);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::runtime, "write", "{}: {} after {} bytes, {} more to write; nothing was replaced", path_, reason(), written_, left);
    p += n, left -= static_cast<size_t>(n), written_ += static_cast<uint64_t>(n);
  }
}

void AtomicFile::write(std::string_view bytes) { write(std::as_bytes(std::span(bytes.data(), bytes.size()))); }

void AtomicFile::commit() {
  bool synced = ::fsync(fd_) == 0;
  bool closed = ::close(fd_) == 0;
  fd_ = -1;
  if (!synced || !closed || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    std::string why = reason();
    ::unlink(temporary_.c_str());
    fail(ErrorKind::runtime, "write", "cannot finish {}: {}; nothing was replaced", path_, why);
  }
  sync_folder(std::filesystem::path(path_).parent_path().string());
}

}  // namespace motley
