#include "base/barrier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace motley {
namespace {

using namespace std::chrono_literals;

// Every thread writes its own slot without synchronisation, meets the others, and reads all slots: a barrier that lets somebody through
// early, or publishes too little, shows a slot of another phase (and is a data race under the thread sanitizer).
void phases(int parties, int count, std::chrono::nanoseconds spin) {
  Barrier barrier(parties, spin);
  std::vector<int> slots(static_cast<size_t>(parties), -1);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < parties; ++t)
    threads.emplace_back([&, t] {
      for (int phase = 0; phase < count; ++phase) {
        slots[static_cast<size_t>(t)] = phase;
        barrier.wait();
        for (int slot : slots) wrong += slot != phase;
        barrier.wait();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Barrier, SeparatesPhasesSpinning) { phases(2, 20000, kSpin); }
TEST(Barrier, SeparatesPhasesAsleep) { phases(3, 3000, 0ns); }
TEST(Barrier, SeparatesPhasesWithMoreThreadsThanCores) { phases(13, 500, 2us); }

TEST(Barrier, OnePartyNeverWaits) {
  Barrier barrier(1);
  for (int i = 0; i < 1000; ++i) barrier.wait();
}

TEST(Barrier, ALateThreadIsWaitedForAsleep) {
  Barrier barrier(2, 1us);
  std::atomic<bool> late{false};
  std::thread other([&] {
    std::this_thread::sleep_for(30ms);
    late = true;
    barrier.wait();
  });
  barrier.wait();
  EXPECT_TRUE(late);
  other.join();
}

TEST(Barrier, AbandonedWaitersLeaveAndResetMakesItNew) {
  Barrier barrier(3);
  std::atomic<int> unwound{0};
  auto waiter = [&] {
    try {
      barrier.wait();
    } catch (const Barrier::Abandoned&) {
      ++unwound;
    }
  };
  std::thread first(waiter), second([&] {
    std::this_thread::sleep_for(5ms);
    waiter();  // arrives before or after abandon(): both must leave
  });
  std::this_thread::sleep_for(5ms);
  barrier.abandon();
  first.join();
  second.join();
  EXPECT_EQ(unwound, 2);
  EXPECT_TRUE(barrier.abandoned());
  barrier.reset();
  std::thread a([&] { barrier.wait(); }), b([&] { barrier.wait(); });
  barrier.wait();
  a.join();
  b.join();
}

TEST(Signal, WaitReturnsAtOnceWhenItAlreadyChanged) {
  Signal signal;
  uint32_t seen = signal.now();
  signal.advance();
  signal.wait(seen);
  EXPECT_EQ(signal.now(), seen + 1);
}

}  // namespace
}  // namespace motley
