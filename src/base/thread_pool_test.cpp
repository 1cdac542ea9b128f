#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/cores.h"
#include "motley/error.h"

namespace motley {
namespace {

using namespace std::chrono_literals;

TEST(ThreadPool, EveryWorkerRunsOnceAndTheCallerIsWorkerZero) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool({.threads = threads});
    EXPECT_EQ(pool.workers(), threads);
    std::vector<int> calls(static_cast<size_t>(threads));
    std::thread::id zero;
    for (int round = 0; round < 100; ++round)
      pool.run([&](int worker, int workers) {
        EXPECT_EQ(workers, threads);
        if (worker == 0) zero = std::this_thread::get_id();
        ++calls[static_cast<size_t>(worker)];  // a slot of its own: unsynchronised on purpose
      });
    EXPECT_EQ(calls, std::vector<int>(static_cast<size_t>(threads), 100));
    EXPECT_EQ(zero, std::this_thread::get_id());
  }
}

// A program of steps as the executor walks it: two ranges without a barrier between them, then a step that reads both.
TEST(ThreadPool, AProgramOfStepsSeesEveryElementOnceAndInOrder) {
  constexpr int64_t kN = 257;
  for (int threads : {1, 2, 5}) {
    ThreadPool pool({.threads = threads});
    std::array<WorkQueue, 3> queues;
    std::vector<int> a(kN), b(kN), sum(kN);
    constexpr int kSteps = 400;
    pool.run([&](int, int workers) {
      for (uint32_t step = 0; step < kSteps; ++step) {
        queues[0].split(step, kN, 3, workers, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) ++a[static_cast<size_t>(i)];
        });
        queues[1].split(step, kN, 100, workers, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) b[static_cast<size_t>(i)] += 2;
        });
        pool.barrier();
        queues[2].split(step, kN, 16, workers, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) sum[static_cast<size_t>(i)] = a[static_cast<size_t>(i)] + b[static_cast<size_t>(kN - 1 - i)];
        });
        pool.barrier();
      }
    });
    EXPECT_EQ(a, std::vector<int>(kN, kSteps));
    EXPECT_EQ(sum, std::vector<int>(kN, 3 * kSteps));
  }
}

TEST(ThreadPool, AnErrorInAnyWorkerComesOutOfRunWhileOthersWaitAtABarrier) {
  ThreadPool pool({.threads = 4});
  for (int thrower = 0; thrower < 4; ++thrower) {
    try {
      pool.run([&](int worker, int) {
        pool.barrier();
        if (worker == thrower) throw std::runtime_error("worker " + std::to_string(worker));
        pool.barrier();
        ADD_FAILURE() << "worker " << worker << " went past a barrier that one worker never reached";
      });
      ADD_FAILURE() << "no error";
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), "worker " + std::to_string(thrower));
    }
    std::atomic<int> ran{0};
    pool.run([&](int, int) {  // usable afterwards
      pool.barrier();
      ++ran;
    });
    EXPECT_EQ(ran, 4);
  }
}

TEST(ThreadPool, AllWorkersThrowingGivesOneError) {
  ThreadPool pool({.threads = 3});
  EXPECT_THROW(pool.run([](int, int) { throw std::runtime_error("all"); }), std::runtime_error);
  ThreadPool alone({.threads = 1});
  EXPECT_THROW(alone.run([](int, int) { throw std::runtime_error("one"); }), std::runtime_error);
}

TEST(ThreadPool, ARunInsideARunIsRefused) {
  ThreadPool pool({.threads = 2});
  std::atomic<int> refused{0};
  pool.run([&](int, int) {
    try {
      pool.run([](int, int) {});
    } catch (const Error&) {
      ++refused;
    }
  });
  EXPECT_EQ(refused, 2);
}

TEST(ThreadPool, RefusesNoThreads) {
  try {
    ThreadPool pool({.threads = 0});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::usage);
  }
}

TEST(ThreadPool, PinnedWorkersRunWhereTheyWereSent) {
  auto cpus = usable_cpus();
  ThreadPool pool({.threads = 2, .pin_to = {cpus[0], cpus.back()}});
  int where = -1;
  pool.run([&](int worker, int) {
    if (worker == 1) where = sched_getcpu();
  });
  EXPECT_EQ(where, cpus.back());
  EXPECT_THROW(ThreadPool({.threads = 2, .pin_to = {0, CPU_SETSIZE - 1}}), Error);
}

TEST(ThreadPool, ComesAndGoesWithoutWork) {
  for (int i = 0; i < 200; ++i) ThreadPool pool({.threads = 1 + i % 4});
}

// One worker comes late to the range: the other takes over its share.
TEST(WorkQueue, ASlowWorkerDoesNotKeepItsShare) {
  ThreadPool pool({.threads = 2});
  WorkQueue queue;
  std::array<std::atomic<int64_t>, 2> done{};
  pool.run([&](int worker, int workers) {
    while (worker == 1 && done[0] < 900) std::this_thread::yield();
    queue.split(7, 1000, 10, workers, [&](int64_t begin, int64_t end) { done[static_cast<size_t>(worker)] += end - begin; });
  });
  EXPECT_EQ(done[0] + done[1], 1000);
  EXPECT_GE(done[0], 900);
}

// One worker alone takes runs that shrink from half its share to single grains, without gap or overlap.
TEST(WorkQueue, RunsBeginLongAndEndShort) {
  WorkQueue queue;
  std::vector<int64_t> lengths;
  int64_t expected = 0;
  for (WorkQueue::Run run; (run = queue.take(3, 64, 2)).begin < run.end; expected = run.end) {
    EXPECT_EQ(run.begin, expected);
    lengths.push_back(run.end - run.begin);
  }
  EXPECT_EQ(expected, 64);
  EXPECT_EQ(lengths.front(), 16);
  EXPECT_EQ(lengths.back(), 1);
  EXPECT_TRUE(std::is_sorted(lengths.rbegin(), lengths.rend()));
}

TEST(WorkQueue, EmptyRangesAndLargeGrainsAreFine) {
  ThreadPool pool({.threads = 3});
  WorkQueue queue;
  std::atomic<int> calls{0};
  for (uint32_t use = 0; use < 50; ++use) pool.run([&](int, int workers) { queue.split(use, 0, 8, workers, [&](int64_t, int64_t) { ++calls; }); });
  EXPECT_EQ(calls, 0);
  for (uint32_t use = 50; use < 100; ++use)
    pool.run(
        [&](int, int workers) { queue.split(use, 5, 8, workers, [&](int64_t begin, int64_t end) { calls += begin == 0 && end == 5 ? 1 : 1000; }); });
  EXPECT_EQ(calls, 50);
}

// Somebody else burns every processor while the pool passes barriers: spinning must give way. With waits that never slept, each barrier
// would last a scheduling quantum (milliseconds), together most of a minute.
TEST(ThreadPool, KeepsGoingWhenTheProcessorsAreTaken) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> burners;
  for (size_t i = 0; i < usable_cpus().size(); ++i)
    burners.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
  ThreadPool pool({.threads = static_cast<int>(usable_cpus().size()) + 1});
  auto begin = std::chrono::steady_clock::now();
  constexpr int kBarriers = 5000;
  pool.run([&](int, int) {
    for (int i = 0; i < kBarriers; ++i) pool.barrier();
  });
  std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  stop = true;
  for (auto& burner : burners) burner.join();
  EXPECT_LT(seconds.count(), 10.0);
}

}  // namespace
}  // namespace motley
