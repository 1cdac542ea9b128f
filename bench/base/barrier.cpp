// What it costs to meet: one barrier of the thread pool, and one empty run() (start all workers, wait for all). The floor is two cache-line
// transfers between cores, about 0.1 µs within one chip.
//
//   build/bench/bench/base_barrier [THREADS]
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/cores.h"
#include "base/thread_pool.h"

namespace {

template <class F>
double best_seconds(F f) {
  double best = 1e9;
  for (int round = 0; round < 7; ++round) {
    auto begin = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : motley::default_threads();
  motley::ThreadPool pool({.threads = threads});
  constexpr int kBarriers = 20000, kRuns = 2000;
  double barrier = best_seconds([&] {
    pool.run([&](int, int) {
      for (int i = 0; i < kBarriers; ++i) pool.barrier();
    });
  });
  double run = best_seconds([&] {
    for (int i = 0; i < kRuns; ++i) pool.run([](int, int) {});
  });
  fmt::print("{{\"bench\":\"base/barrier\",\"threads\":{},\"barrier_ns\":{:.1f},\"run_ns\":{:.1f}}}\n", threads, barrier / kBarriers * 1e9,
             run / kRuns * 1e9);
}
