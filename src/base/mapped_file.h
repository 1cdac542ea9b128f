// A file mapped read-only into memory, for weights. The span is checked against the size once, when it is opened.
// Reading a page that has vanished (somebody else truncated the file) raises SIGBUS, so weights are read with copy(), which turns that
// into an Error naming the file; bytes() is for code that has installed its own handler.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace motley {

class MappedFile {
 public:
  static std::shared_ptr<MappedFile> open(const std::string& path);  // Error(file); an empty file maps to an empty span
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return bytes_; }

  // Copies [offset, offset + size) through read(), so a truncated file is an Error and the page cache keeps one copy.
  void copy(uint64_t offset, std::span<std::byte> to) const;

  // Tells the kernel that the pages of this range are no longer needed here.
  void drop(uint64_t offset, uint64_t size) const;

 private:
  MappedFile() = default;
  std::string path_;
  int fd_ = -1;
  std::span<const std::byte> bytes_;
};

}  // namespace motley
