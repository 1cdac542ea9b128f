// Files, read with a bound and written so that a crash or a full disk never leaves half of one.
//
//   std::string text = read_file(path, 64 << 20);
//   AtomicFile out(path);            // writes path.tmp-<pid> beside it
//   out.write(bytes);
//   out.commit();                    // fsync, rename, fsync of the folder; without commit() the temporary is removed
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace motley {

// The bytes of a regular file. Error(file) when it is missing, unreadable, not a regular file, or larger than limit_bytes.
std::string read_file(const std::string& path, uint64_t limit_bytes);

bool file_exists(const std::string& path);  // a regular file (following links)
bool folder_exists(const std::string& path);

class AtomicFile {
 public:
  explicit AtomicFile(std::string path);  // Error(runtime) naming path when the folder cannot be written
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view bytes);
  void write(std::span<const std::byte> bytes);
  uint64_t written() const { return written_; }
  void commit();

 private:
  std::string path_, temporary_;
  int fd_ = -1;
  uint64_t written_ = 0;
};

}  // namespace motley
