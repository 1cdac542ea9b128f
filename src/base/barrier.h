// Waiting for other threads: for a short time by spinning, because a step of a small model lasts microseconds and waking a sleeping
// thread costs more than the step; then asleep in the kernel, because a core that spins for a thread which has lost its own core only
// makes the wait longer. The limit is kSpin; a Signal or Barrier made with zero sleeps at once.
//
//   Barrier barrier(workers);
//   ... in each worker:  write(part);  barrier.wait();  read(all);
//
// What a thread wrote before wait() is visible to every thread after it. A Barrier must outlive the last thread's return from wait().
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace motley {

inline constexpr std::chrono::nanoseconds kSpin = std::chrono::microseconds(20);
inline constexpr size_t kCacheLine = 64;

// A number that only grows, which threads wait to see change. Changing it costs no system call while nobody sleeps.
class Signal {
 public:
  explicit Signal(std::chrono::nanoseconds spin = kSpin) : spin_(spin) {}

  uint32_t now() const { return word_.load(std::memory_order_acquire); }
  void advance();            // what was written before is visible to those who see the change
  void wait(uint32_t seen);  // until now() != seen

 private:
  alignas(kCacheLine) std::atomic<uint32_t> word_{0};
  alignas(kCacheLine) std::atomic<uint32_t> sleepers_{0};  // written only by those who sleep, so it stays in every cache
  std::chrono::nanoseconds spin_;
};

class Barrier {
 public:
  // Thrown by wait() in the other threads after one of them gave up with abandon(): they unwind instead of waiting for ever.
  struct Abandoned {};

  explicit Barrier(int parties, std::chrono::nanoseconds spin = kSpin) : opened_(spin), missing_(parties), parties_(parties) {}

  void wait();     // until all parties are here; with one party it returns at once
  void abandon();  // every present and future wait() throws Abandoned, until reset()
  void reset();    // ready for use again; no thread may be inside wait()
  bool abandoned() const { return abandoned_.load(std::memory_order_acquire); }

 private:
  Signal opened_;  // its number is the phase: the "sense" of a sense-reversing barrier, which cannot be mistaken for the last one's
  alignas(kCacheLine) std::atomic<int> missing_;
  alignas(kCacheLine) std::atomic<bool> abandoned_{false};
  int parties_;
};

}  // namespace motley
