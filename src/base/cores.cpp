#include "base/cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string_view>
#include <thread>

#include "base/text.h"

namespace motley {
namespace {

// Files of /proc and /sys say they have no bytes, so they are read to their end; what cannot be read is as good as empty. The bound is
// far above any of them.
std::string read_system_file(const std::string& path) {
  std::string out(256 << 10, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return out;
}

std::optional<int64_t> read_number(const std::string& path) { return parse_int(trim(read_system_file(path))); }

std::vector<std::string_view> words(std::string_view line) {
  auto parts = split(line, ' ');
  std::erase_if(parts, [](std::string_view s) { return s.empty(); });
  return parts;
}

std::vector<int> affinity() {
  // The mask must be as large as the kernel's own, whose size is found by trying.
  for (size_t cpus = 1024; cpus <= (size_t{1} << 20); cpus *= 2) {
    std::vector<cpu_set_t> mask(cpus / CPU_SETSIZE);
    size_t bytes = mask.size() * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.data()) != 0) continue;
    std::vector<int> out;
    for (size_t i = 0; i < cpus; ++i)
      if (CPU_ISSET_S(i, bytes, mask.data())) out.push_back(static_cast<int>(i));
    if (!out.empty()) return out;
  }
  std::vector<int> out(std::max(1u, std::thread::hardware_concurrency()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<int>(i);
  return out;
}

// Where the hierarchy of one kind of control group is mounted, and the folder of our own group in it.
struct Group {
  std::string mount, path;
};

// A line of /proc/self/mountinfo: "id parent major:minor root mount-point options [optional...] - type source super-options". `root` is the
// group that the mount shows as its top: in a container that sees only its own part, it is a prefix of the path in /proc/self/cgroup.
std::optional<Group> find_group(const std::string& root, std::string_view type, std::string_view controller) {
  std::string groups = read_system_file(root + "/proc/self/cgroup"), path;
  for (auto line : split(groups, '\n')) {  // "id:controllers:path"
    size_t first = line.find(':');
    size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
    if (second == line.npos) continue;
    auto controllers = split(line.substr(first + 1, second - first - 1), ',');
    if (std::find(controllers.begin(), controllers.end(), controller) != controllers.end()) path = std::string(line.substr(second + 1));
  }
  if (path.empty()) return std::nullopt;
  std::string mounts = read_system_file(root + "/proc/self/mountinfo");
  for (auto line : split(mounts, '\n')) {
    size_t dash = line.find(" - ");
    if (dash == line.npos) continue;
    auto before = words(line.substr(0, dash)), after = words(line.substr(dash + 3));
    if (before.size() < 6 || after.size() < 3 || after[0] != type) continue;
    auto options = split(after[2], ',');
    if (!controller.empty() && std::find(options.begin(), options.end(), controller) == options.end()) continue;
    std::string_view top = before[3];
    if (top == "/") top = "";
    std::string_view below = path;
    if (below.starts_with(top) && (below.size() == top.size() || below[top.size()] == '/'))
      below.remove_prefix(top.size());
    else
      below = "";
    while (below.ends_with('/')) below.remove_suffix(1);
    return Group{root + std::string(before[4]), std::string(below)};
  }
  return std::nullopt;
}

// The smallest limit of the group and of all that contain it.
template <class ReadLimit>
void lower_to_limits(std::optional<double>& quota, const std::optional<Group>& group, ReadLimit read_limit) {
  if (!group) return;
  for (std::string path = group->path;; path.resize(path.find_last_of('/'))) {
    if (std::optional<double> limit = read_limit(group->mount + path)) quota = std::min(quota.value_or(*limit), *limit);
    if (path.empty()) return;
  }
}

}  // namespace

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> quota;
  lower_to_limits(quota, find_group(root, "cgroup2", ""), [](const std::string& folder) -> std::optional<double> {
    std::string text = read_system_file(folder + "/cpu.max");  // "max 100000" or "150000 100000"
    auto parts = words(trim(text));
    if (parts.size() != 2) return std::nullopt;
    auto granted = parse_int(parts[0]), period = parse_int(parts[1]);
    if (!granted || !period || *granted <= 0 || *period <= 0) return std::nullopt;
    return static_cast<double>(*granted) / static_cast<double>(*period);
  });
  lower_to_limits(quota, find_group(root, "cgroup", "cpu"), [](const std::string& folder) -> std::optional<double> {
    auto granted = read_number(folder + "/cpu.cfs_quota_us"), period = read_number(folder + "/cpu.cfs_period_us");  // -1: no limit
    if (!granted || !period || *granted <= 0 || *period <= 0) return std::nullopt;
    return static_cast<double>(*granted) / static_cast<double>(*period);
  });
  return quota;
}

CoreList order_cores(const std::string& root, const std::vector<int>& allowed) {
  struct Cpu {
    int id;
    int64_t rank;   // which hardware thread of its core, among the allowed ones
    int64_t speed;  // of the core, in any unit common to all
  };
  std::map<std::string, int64_t> seen;  // cores by the text that names their hardware threads
  std::vector<Cpu> cpus;
  int physical = 0;
  for (int id : allowed) {
    std::string folder = fmt::format("{}/sys/devices/system/cpu/cpu{}", root, id);
    std::string core = read_system_file(folder + "/topology/thread_siblings_list");
    if (core.empty()) core = fmt::format("cpu {}", id);
    int64_t rank = seen[core]++;
    physical += rank == 0;
    auto speed = read_number(folder + "/cpu_capacity");
    if (!speed) speed = read_number(folder + "/cpufreq/cpuinfo_max_freq");
    cpus.push_back({id, rank, speed.value_or(0)});
  }
  std::stable_sort(cpus.begin(), cpus.end(), [](const Cpu& a, const Cpu& b) { return a.rank != b.rank ? a.rank < b.rank : a.speed > b.speed; });
  CoreList out;
  out.physical = physical;
  for (const auto& cpu : cpus) out.cpus.push_back(cpu.id);
  return out;
}

std::vector<int> usable_cpus() { return order_cores("", affinity()).cpus; }
std::optional<double> cpu_quota() { return cpu_quota(std::string()); }

int default_threads() {
  int threads = order_cores("", affinity()).physical;
  if (auto quota = cpu_quota()) threads = std::min(threads, static_cast<int>(std::ceil(std::min(*quota, 1e6))));
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    auto cap = parse_int(split(text, ',').front());  // OpenMP allows a list, one number per nesting level
    if (cap && *cap > 0) threads = static_cast<int>(std::min<int64_t>(threads, *cap));
  }
  return std::max(threads, 1);
}

}  // namespace motley
