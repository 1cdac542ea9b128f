#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace motley {

std::shared_ptr<MappedFile> MappedFile::open(const std::string& path) {
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->fd_ < 0) fail(ErrorKind::file, "open", "cannot open {}: {}", path, std::strerror(errno));
  struct stat st {};
  if (::fstat(file->fd_, &st) != 0) fail(ErrorKind::file, "open", "cannot inspect {}: {}", path, std::strerror(errno));
  if (!S_ISREG(st.st_mode)) fail(ErrorKind::file, "open", "{} is not a regular file", path);
  if (st.st_size == 0) return file;
  auto size = static_cast<size_t>(st.st_size);
  void* p = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file->fd_, 0);
  if (p == MAP_FAILED) fail(ErrorKind::file, "open", "cannot map {} ({} bytes): {}", path, size, std::strerror(errno));
  file->bytes_ = {static_cast<const std::byte*>(p), size};
  return file;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  if (fd_ >= 0) ::close(fd_);
}

void MappedFile::copy(uint64_t offset, std::span<std::byte> to) const {
  size_t done = 0;
  while (done < to.size()) {
    ssize_t n = ::pread(fd_, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorKind::file, "read", "{}: {} at byte {}", path_, std::strerror(errno), offset + done);
    if (n == 0)
      fail(ErrorKind::file, "read", "{} ends at byte {}; it was {} bytes long when it was opened. Was it replaced while in use?", path_,
           offset + done, bytes_.size());
    done += static_cast<size_t>(n);
  }
}

void MappedFile::drop(uint64_t offset, uint64_t size) const {
  auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  uint64_t begin = (offset + page - 1) / page * page, end = (offset + size) / page * page;
  if (begin < end && end <= bytes_.size()) ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace motley
