#include "base/atomic_folder.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "motley/error.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

class AtomicFolders : public testing::Test {
 protected:
  void SetUp() override {
    parent_ = fs::temp_directory_path() / fmt::format("motley-folder-{}", getpid());
    fs::remove_all(parent_);
    fs::create_directories(parent_);
    path_ = parent_ / "out";
  }
  void TearDown() override { fs::remove_all(parent_); }
  fs::path parent_, path_;
};

TEST_F(AtomicFolders, AppearWhole) {
  AtomicFolder out(path_);
  out.write("a.txt", "a");
  EXPECT_FALSE(fs::exists(path_));
  out.commit();
  EXPECT_EQ(read_file(path_ / "a.txt", 10), "a");
  EXPECT_EQ(std::distance(fs::directory_iterator(parent_), {}), 1);
}

TEST_F(AtomicFolders, OrNotAtAll) {
  {
    AtomicFolder out(path_);
    out.write("a.txt", "a");
  }
  EXPECT_TRUE(fs::is_empty(parent_));
}

TEST_F(AtomicFolders, ReplaceOnlyWhatIsEmpty) {
  fs::create_directories(path_);
  {
    AtomicFolder out(path_);
    out.write("a.txt", "a");
    out.commit();
  }
  EXPECT_THROW(AtomicFolder again(path_), Error);
  EXPECT_EQ(read_file(path_ / "a.txt", 10), "a");
}

}  // namespace
}  // namespace motley
