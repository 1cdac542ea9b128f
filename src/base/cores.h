// How many threads are worth having here. A container's processor quota, a taskset and the second hardware threads of a core all make the
// number of processors that the system reports too large; a thread without a core of its own makes every barrier wait for it.
//
//   ThreadPool pool({.threads = default_threads()});
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace motley {

// The processors this process may use (its affinity mask), in the order in which threads should take them: one per physical core first, the
// fastest cores of a mixed chip before the slow ones, then the remaining hardware threads of the same cores.
std::vector<int> usable_cpus();

// Processors' worth of time the control group grants, or nothing when it does not limit. The smallest of all groups above us counts.
std::optional<double> cpu_quota();

// Threads to use when nobody said: the physical cores among usable_cpus(), at most the quota rounded up (below it, a part of what was granted
// could never be used), at most OMP_NUM_THREADS where that is set to a number; at least 1.
int default_threads();

// The same questions about the system whose /proc and /sys lie under `root`, for tests.
struct CoreList {
  std::vector<int> cpus;  // ordered as usable_cpus()
  int physical = 0;       // how many of them, at the front, are cores of their own
};
CoreList order_cores(const std::string& root, const std::vector<int>& allowed);
std::optional<double> cpu_quota(const std::string& root);

}  // namespace motley
