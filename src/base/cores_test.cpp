#include "base/cores.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace motley {
namespace {

// A made-up machine: files under a temporary folder, laid out as the kernel's.
class FakeSystem : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "motley-cores-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = name;
  }
  void TearDown() override { std::filesystem::remove_all(root); }
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root + path).parent_path());
    std::ofstream(root + path) << text;
  }
  void cpu(int id, const std::string& siblings, int capacity = 0) {
    std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(id);
    put(folder + "/topology/thread_siblings_list", siblings + "\n");
    if (capacity) put(folder + "/cpu_capacity", std::to_string(capacity) + "\n");
  }
  std::string root;
};

TEST_F(FakeSystem, OneThreadPerCoreFirst) {
  for (int i = 0; i < 4; ++i) {
    cpu(i, std::to_string(i) + "," + std::to_string(i + 4));
    cpu(i + 4, std::to_string(i) + "," + std::to_string(i + 4));
  }
  auto all = order_cores(root, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(all.physical, 4);
  EXPECT_EQ(all.cpus, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  auto some = order_cores(root, {1, 2, 5, 6, 7});  // an affinity mask that splits cores
  EXPECT_EQ(some.physical, 3);
  EXPECT_EQ(some.cpus, (std::vector<int>{1, 2, 7, 5, 6}));
}

TEST_F(FakeSystem, BigCoresFirst) {
  for (int i = 0; i < 4; ++i) cpu(i, std::to_string(i), i < 2 ? 400 : 1024);
  auto cores = order_cores(root, {0, 1, 2, 3});
  EXPECT_EQ(cores.physical, 4);
  EXPECT_EQ(cores.cpus, (std::vector<int>{2, 3, 0, 1}));
}

TEST_F(FakeSystem, UnknownTopologyCountsEveryProcessor) { EXPECT_EQ(order_cores(root, {3, 5}).physical, 2); }

TEST_F(FakeSystem, QuotaOfVersion2IsTheSmallestOnTheWayUp) {
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/proc/self/mountinfo", "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  EXPECT_EQ(cpu_quota(root), std::nullopt);
  put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_quota(root), std::nullopt);
  put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_EQ(cpu_quota(root), 1.5);
  put("/sys/fs/cgroup/a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpu_quota(root), 0.5);
}

TEST_F(FakeSystem, QuotaOfVersion1InAContainer) {
  put("/proc/self/cgroup", "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/docker/x\n");
  put("/proc/self/mountinfo",
      "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw\n"
      "32 31 0:29 /docker/x /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "33 31 0:30 /docker/x /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n");
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cpu_quota(root), std::nullopt);
  put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(cpu_quota(root), 3.0);
}

TEST_F(FakeSystem, GarbageLimitsNothing) {
  put("/proc/self/cgroup", "nonsense\n::\n0::/../../etc\n");
  put("/proc/self/mountinfo", "1\n - \n30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  put("/sys/fs/cgroup/cpu.max", "0 -3\n");
  EXPECT_EQ(cpu_quota(root), std::nullopt);
}

TEST(Cores, ThisMachineGivesAtLeastOneAndOmpCaps) {
  EXPECT_GE(usable_cpus().size(), 1u);
  ::unsetenv("OMP_NUM_THREADS");
  int threads = default_threads();
  EXPECT_GE(threads, 1);
  EXPECT_LE(threads, static_cast<int>(usable_cpus().size()));
  ::setenv("OMP_NUM_THREADS", "1,2", 1);
  EXPECT_EQ(default_threads(), 1);
  ::setenv("OMP_NUM_THREADS", "100000", 1);
  EXPECT_EQ(default_threads(), threads);
  ::setenv("OMP_NUM_THREADS", "many", 1);
  EXPECT_EQ(default_threads(), threads);
  ::unsetenv("OMP_NUM_THREADS");
}

}  // namespace
}  // namespace motley
