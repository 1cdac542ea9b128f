#include "io/hub_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "io/io_test_support.h"

namespace motley {
namespace {

// Sets variables for one test and puts them back.
class Environment {
 public:
  ~Environment() {
    for (auto it = saved_.rbegin(); it != saved_.rend(); ++it) restore(*it);
  }
  void set(const char* name, const char* value) {
    const char* old = std::getenv(name);
    saved_.push_back({name, old ? std::optional<std::string>(old) : std::nullopt});
    restore({name, value ? std::optional<std::string>(value) : std::nullopt});
  }

 private:
  using Saved = std::pair<const char*, std::optional<std::string>>;
  static void restore(const Saved& s) {
    if (s.second) {
      ::setenv(s.first, s.second->c_str(), 1);
    } else {
      ::unsetenv(s.first);
    }
  }
  std::vector<Saved> saved_;
};

TEST(HubCache, FolderFollowsTheEnvironment) {
  Environment env;
  for (auto name : {"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}) env.set(name, nullptr);
  env.set("HOME", "/home/u");
  EXPECT_EQ(hub_cache_folder(), "/home/u/.cache/huggingface/hub");
  env.set("XDG_CACHE_HOME", "/c");
  EXPECT_EQ(hub_cache_folder(), "/c/huggingface/hub");
  env.set("HF_HOME", "~/hf");
  EXPECT_EQ(hub_cache_folder(), "/home/u/hf/hub");
  env.set("HF_HUB_CACHE", "/hub");
  EXPECT_EQ(hub_cache_folder(), "/hub");
  env.set("HF_HUB_CACHE", "");
  EXPECT_EQ(hub_cache_folder(), "/home/u/hf/hub");
}

TEST(HubCache, Names) {
  for (auto good : {"gpt2", "org/name", "HuggingFaceTB/SmolLM2-135M", "a/b.c_d"}) EXPECT_TRUE(is_hub_name(good)) << good;
  for (auto bad : {"", "/", "a/", "/b", "a/b/c", "../x", "a/..", "a/.b", "-a/b", "a--b/c", "a b", "a\\b", "ä/b"})
    EXPECT_FALSE(is_hub_name(bad)) << bad;
}

TEST(HubCache, FindsTheSnapshotOfMain) {
  test::TemporaryFolder folder;
  Environment env;
  env.set("HF_HUB_CACHE", folder.path().c_str());
  std::string commit = "0123456789abcdef0123456789abcdef01234567", repository = "models--Org--Name-1";
  EXPECT_FALSE(find_in_cache("Org/Name-1"));
  folder.write(repository + "/refs/main", commit + "\n");
  EXPECT_FALSE(find_in_cache("Org/Name-1"));  // the reference is there, the files are not
  folder.write(repository + "/snapshots/" + commit + "/config.json", "{}");
  EXPECT_EQ(find_in_cache("Org/Name-1"), folder / (repository + "/snapshots/" + commit));
  EXPECT_FALSE(find_in_cache("org/name-1"));  // case counts
  EXPECT_FALSE(find_in_cache("../Org/Name-1"));
  folder.write(repository + "/refs/main", "../../../../etc");
  EXPECT_FALSE(find_in_cache("Org/Name-1"));
  folder.write(repository + "/refs/main", "../snapshots/" + commit);
  EXPECT_FALSE(find_in_cache("Org/Name-1"));
  folder.write("models--gpt2/refs/main", commit);
  folder.write("models--gpt2/snapshots/" + commit + "/config.json", "{}");
  EXPECT_EQ(find_in_cache("gpt2"), folder / ("models--gpt2/snapshots/" + commit));
}

}  // namespace
}  // namespace motley
