#include "base/atomic_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

namespace motley {

namespace fs = std::filesystem;

AtomicFolder::AtomicFolder(const std::string& path)
    : path_(fs::path(path).has_filename() ? fs::path(path) : fs::path(path).parent_path()),
      temporary_(fmt::format("{}.tmp-{}", path_.string(), ::getpid())) {
  std::error_code error;
  if (fs::exists(path_, error) && !(fs::is_directory(path_, error) && fs::is_empty(path_, error)))
    fail(ErrorKind::usage, "write", "{} is there already and not an empty folder; name a new one", path_.string());
  fs::remove_all(temporary_, error);  // of an earlier process with this number, which was killed
  fs::create_directories(temporary_, error);
  if (error) fail(ErrorKind::runtime, "write", "cannot create {}: {}", temporary_.string(), error.message());
}

AtomicFolder::~AtomicFolder() {
  std::error_code error;
  if (!committed_) fs::remove_all(temporary_, error);
}

void AtomicFolder::write(const std::string& name, std::string_view text) const {
  std::error_code error;  // shown by what cannot be written there
  fs::create_directories(fs::path(file(name)).parent_path(), error);
  AtomicFile out(file(name));
  out.write(text);
  out.commit();
}

void AtomicFolder::commit() {
  std::error_code error;
  fs::remove(path_, error);  // the empty folder that may be there
  fs::rename(temporary_, path_, error);
  if (error) fail(ErrorKind::runtime, "write", "cannot finish {}: {}", path_.string(), error.message());
  committed_ = true;
  sync_folder(path_.parent_path().string());
}

}  // namespace motley
