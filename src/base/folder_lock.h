// A folder that one process at a time writes into. The folder itself is locked, so nothing is left behind, and the lock goes with the process,
// however that ends.
//
//   FolderLock lock("runs/a");       // Error(usage) while another process holds it
#pragma once
#include <string>

namespace motley {

class FolderLock {
 public:
  // Makes the folder and those above it where they are missing; Error(runtime) where that cannot be. On file systems without locks it holds none.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace motley
