#include "base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

namespace motley {

FolderLock::FolderLock(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && !std::filesystem::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) fail(ErrorKind::runtime, "write", "cannot make the folder {}: {}; name another one", folder, error.message());
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    fail(ErrorKind::runtime, "write", "the folder {} cannot be written: {}; name another one", folder, std::strerror(errno));
  fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd_);
    fail(ErrorKind::usage, "write", "another process is writing into {}; wait for its end, or name another folder", folder);
  }
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace motley
