// The threads that compute. A pool runs one function on all its workers at once; the workers walk a whole program of steps inside that
// single call and meet at barriers only where a step needs what others wrote, so starting threads is paid once per program, not per step.
//
//   ThreadPool pool({.threads = default_threads()});    // base/cores.h
//   std::array<WorkQueue, 2> queues;
//   pool.run([&](int worker, int workers) {              // the calling thread is worker 0
//     queues[0].split(token, rows, 16, workers, [&](int64_t begin, int64_t end) { first_step(begin, end); });
//     pool.barrier();                                     // the next step reads what all wrote
//     queues[1].split(token, rows, 16, workers, [&](int64_t begin, int64_t end) { second_step(begin, end); });
//   });
//
// With one thread nothing of this costs anything: run() calls the function, barrier() and split() return or call straight through.
// An exception in any worker ends the run: the others leave at their next barrier, and run() throws it in the calling thread. One run at
// a time, from any thread, never from inside a worker. Idle workers sleep.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/barrier.h"

namespace motley {

class ThreadPool {
 public:
  struct Options {
    int threads = 1;
    // Binds worker i to pin_to[i] (worker 0, the caller's own thread, is left alone). Only for a machine we are alone on: a pinned worker
    // cannot step aside when something else takes its core. Empty: the system places the threads.
    std::vector<int> pin_to = {};
  };

  explicit ThreadPool(const Options& options);  // Error(usage) when threads < 1, Error(runtime) when the system gives no thread
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int workers() const { return workers_; }

  // Calls f(worker, workers) on every worker; returns when all have returned.
  template <class F>
  void run(F&& f) {
    if (workers_ == 1) {
      f(0, 1);
      return;
    }
    using Function = std::remove_reference_t<F>;
    run_on_all([](const void* function, int worker, int workers) { (*static_cast<Function*>(const_cast<void*>(function)))(worker, workers); },
               std::addressof(f));
  }

  // Inside a run: waits until every worker is here. All workers must make the same calls.
  void barrier() {
    if (workers_ > 1) barrier_.wait();
  }

 private:
  using Call = void (*)(const void* function, int worker, int workers);
  void run_on_all(Call call, const void* function);
  void work(int worker);
  void call(int worker);
  void stop();

  const int workers_;
  Barrier barrier_;
  Signal started_, finished_;
  alignas(kCacheLine) std::atomic<int> running_{0};  // workers other than 0 that have not returned
  std::atomic<bool> busy_{false};
  bool stopping_ = false;  // this and the job: written before started_ advances, read after
  Call call_ = nullptr;
  const void* function_ = nullptr;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::vector<std::thread> threads_;
};

// A range 0..n handed out in runs to whoever asks next, so that a worker that lost its core for a while delays nobody.
//
// A queue needs no reset, hence no barrier before it can be used again: `use` names this pass over the range, the first worker to come with
// a new one starts the range again. Two passes over the same queue must have different `use` and a barrier (or the end of the run) between
// them; steps that follow each other without a barrier take different queues.
class WorkQueue {
 public:
  WorkQueue() = default;

  // Calls f(begin, end) for runs of whole `grain`s (the last may be shorter) until the range is used up. grain >= 1. Runs begin long, so that
  // who streams through memory is rarely sent elsewhere, and end short, so that all finish together.
  template <class F>
  void split(uint32_t use, int64_t n, int64_t grain, int workers, F&& f) {
    if (workers == 1) {
      if (n > 0) f(int64_t{0}, n);
      return;
    }
    auto grains = static_cast<uint32_t>((n + grain - 1) / grain);
    for (Run run; (run = take(use, grains, workers)).begin < run.end;) {
      int64_t begin = run.begin * grain, end = run.end * grain;
      f(begin, n < end ? n : end);
    }
  }

  // The next run of this pass, an empty one when nothing is left. At most 2^32 - 1 grains.
  struct Run {
    int64_t begin = 0, end = 0;
  };
  Run take(uint32_t use, uint32_t grains, int workers) {
    uint64_t seen = state_.load(std::memory_order_relaxed);
    for (;;) {
      uint32_t next = (seen >> 32) == use ? static_cast<uint32_t>(seen) : 0;
      if (next >= grains) return {};
      // Half of what would be each worker's share of the rest.
      uint32_t end = next + (grains - next - 1) / (2 * static_cast<uint32_t>(workers)) + 1;
      if (state_.compare_exchange_weak(seen, (uint64_t{use} << 32) | end, std::memory_order_relaxed)) return {next, end};
    }
  }

 private:
  // Upper half: the pass; lower half: the next grain. Zero is the start of pass 0, so any first `use` works on a new queue.
  alignas(kCacheLine) std::atomic<uint64_t> state_{0};
};

}  // namespace motley
