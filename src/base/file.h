// Files, read with a bound and written so that a crash or a full disk never leaves half of one.
//
//   std::string text = read_file(path, 64 << 20);
//   AtomicFile out(path);            // writes path.tmp-<pid> beside it
//   out.write(bytes);
//   out.commit();                    // fsync, rename, fsync of the folder; without commit() the temporary is removed
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace motley {

// The bytes of a regular file. Error(file) when it is missing, unreadable, not a regular file, or larger than limit_bytes.
std::string read_file(const std::string& path, uint64_t limit_bytes);

// The same from front to back, a megabyte at a time, for files that need not fit the memory.
void read_pieces(const std::string& path, const std::function<void(std::string_view piece)>& take);

bool file_exists(const std::string& path);  // a regular file (following links)
bool folder_exists(const std::string& path);

// The names in a folder reach the disk: what was renamed stays renamed through a power cut.
void sync_folder(const std::string& path);

// Error as of reading and writing; the old `to` stays until the new one is whole.
void copy_atomically(const std::string& from, const std::string& to);

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
