#include "base/folder_lock.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/error.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

TEST(FolderLock, IsHeldByOneAtATimeAndLeavesNothing) {
  const fs::path top = fs::temp_directory_path() / fmt::format("motley-lock-{}", ::getpid()), folder = top / "a" / "b";
  fs::remove_all(top);
  auto message = [](const fs::path& path) -> std::string {
    try {
      FolderLock lock(path);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  std::optional<FolderLock> first(std::in_place, folder);
  EXPECT_NE(message(folder).find("another process is writing into"), std::string::npos);
  first.reset();
  EXPECT_EQ(message(folder), "");
  EXPECT_TRUE(fs::is_empty(folder));
  std::ofstream(top / "file") << "x";
  EXPECT_NE(message(top / "file").find("name another one"), std::string::npos);
  EXPECT_NE(message(top / "file" / "below").find("cannot make the folder"), std::string::npos);
  fs::remove_all(top);
}

}  // namespace
}  // namespace motley
