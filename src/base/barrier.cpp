#include "base/barrier.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace motley {
namespace {

// std::atomic::wait would do, but libstdc++ keeps its count of sleepers in a table shared by unrelated atomics, so that one thread
// asleep elsewhere turns every advance() into a system call.
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free);

void futex_wait(std::atomic<uint32_t>& word, uint32_t seen) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}

void futex_wake_all(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // "yield" does nothing on most Arm cores; a pipeline flush is about as long as x86's pause
#endif
}

// Whether word changed within the limit. The clock is asked once per batch of pauses (1 to 3 µs): asking costs as much as a pause.
bool spin(const std::atomic<uint32_t>& word, uint32_t seen, std::chrono::nanoseconds limit) {
  if (limit.count() == 0) return false;
  constexpr int kPauses = 64;
  std::chrono::steady_clock::time_point end{};
  for (bool first = true;; first = false) {
    for (int i = 0; i < kPauses; ++i) {
      if (word.load(std::memory_order_acquire) != seen) return true;
      relax();
    }
    auto now = std::chrono::steady_clock::now();
    if (first)
      end = now + limit;
    else if (now >= end)
      return false;
  }
}

}  // namespace

// The order of the two sequentially consistent operations on each side (change word, look for sleepers | announce sleep, look at
// word) is what makes a wake-up impossible to lose: at least one side sees the other's write.
void Signal::advance() {
  word_.fetch_add(1, std::memory_order_seq_cst);
  if (sleepers_.load(std::memory_order_seq_cst) != 0) futex_wake_all(word_);
}

void Signal::wait(uint32_t seen) {
  if (spin(word_, seen, spin_)) return;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (word_.load(std::memory_order_seq_cst) == seen) futex_wait(word_, seen);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

void Barrier::wait() {
  if (parties_ == 1) return;
  uint32_t phase = opened_.now();
  if (abandoned()) throw Abandoned{};
  if (missing_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    missing_.store(parties_, std::memory_order_relaxed);  // before the phase changes: nobody can arrive for the next one earlier
    opened_.advance();
    return;
  }
  opened_.wait(phase);
  if (abandoned()) throw Abandoned{};
}

void Barrier::abandon() {
  abandoned_.store(true, std::memory_order_release);
  opened_.advance();
}

void Barrier::reset() {
  missing_.store(parties_, std::memory_order_relaxed);
  abandoned_.store(false, std::memory_order_release);
}

}  // namespace motley
