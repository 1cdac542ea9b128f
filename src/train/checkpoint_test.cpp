#include "train/checkpoint.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace motley {
namespace {

namespace fs = std::filesystem;

class Checkpoints : public testing::Test {
 protected:
  void SetUp() override {
    output_ = fs::temp_directory_path() / fmt::format("motley-checkpoint-{}", getpid());
    fs::remove_all(output_);
    fs::create_directories(output_);
  }
  void TearDown() override { fs::remove_all(output_); }

  std::string write(int64_t step) {
    CheckpointWriter out(checkpoint_path(output_, step));
    out.folder().write("model.safetensors", std::string(5000, static_cast<char>('a' + step)));
    fs::create_directory(out.folder().file("programs"));
    out.folder().write("programs/first.txt", "program");
    out.commit(step);
    return checkpoint_path(output_, step);
  }
  std::vector<int64_t> steps() {
    std::vector<int64_t> out;
    for (const auto& c : find_checkpoints(output_)) out.push_back(c.step);
    return out;
  }
  std::string output_;
};

TEST_F(Checkpoints, AreFoundNewestFirst) {
  for (int64_t step : {9, 100, 20}) write(step);
  EXPECT_THAT(steps(), testing::ElementsAre(100, 20, 9));
  for (const auto& c : find_checkpoints(output_)) EXPECT_EQ(problem_of(c.path), std::nullopt);
}

TEST_F(Checkpoints, OneThatIsNotFinishedIsNone) {
  {
    CheckpointWriter out(checkpoint_path(output_, 5));
    out.folder().write("model.safetensors", "half");
  }
  EXPECT_TRUE(fs::is_empty(output_));
}

TEST_F(Checkpoints, DamageIsNoticed) {
  std::string path = write(1);
  {
    std::fstream file(path + "/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(1234);
    file.put('z');
  }
  EXPECT_THAT(problem_of(path).value_or(""), testing::HasSubstr("model.safetensors is not what was written"));
  fs::resize_file(path + "/model.safetensors", 4999);
  EXPECT_THAT(problem_of(path).value_or(""), testing::HasSubstr("has 4999 bytes, not 5000"));
  fs::remove(path + "/programs/first.txt");
  fs::resize_file(path + "/model.safetensors", 5000);
  path = write(2);
  fs::remove(path + "/programs/first.txt");
  EXPECT_THAT(problem_of(path).value_or(""), testing::HasSubstr("programs/first.txt is missing"));
  path = write(3);
  std::ofstream(path + "/MANIFEST.json") << "{\"files\": [{\"name\": \"../x\", \"bytes\": 1, \"hash\": \"\"}]}";
  EXPECT_THAT(problem_of(path).value_or(""), testing::HasSubstr("names '../x'"));
  fs::remove(path + "/MANIFEST.json");
  EXPECT_THAT(problem_of(path).value_or(""), testing::HasSubstr("no MANIFEST.json"));
}

TEST_F(Checkpoints, TheNewestAndTheBestAreKept) {
  for (int64_t step : {1, 2, 3, 4, 5}) write(step);
  fs::create_directories(output_ + "/checkpoint-6.tmp-1");
  prune_checkpoints(output_, 2, 1);
  EXPECT_THAT(steps(), testing::ElementsAre(5, 4, 1));
  EXPECT_FALSE(fs::exists(output_ + "/checkpoint-6.tmp-1"));
}

}  // namespace
}  // namespace motley
