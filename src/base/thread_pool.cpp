#include "base/thread_pool.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/cores.h"
#include "base/error.h"

namespace motley {
namespace {

// Signals that others send (Ctrl-C) belong to the thread that has a handler's context, not to a worker in the middle of a kernel. Faults of
// the thread itself stay open: blocked, they would end the process past any handler that reports a crash.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

int valid_threads(int threads) {
  if (threads < 1) fail(ErrorKind::usage, "threads", "the number of threads must be at least 1, got {}", threads);
  return threads;
}

// With more workers than processors, the one waited for may need the very processor that spins.
std::chrono::nanoseconds spin_limit(int threads) { return threads <= static_cast<int>(usable_cpus().size()) ? kSpin : std::chrono::nanoseconds(0); }

}  // namespace

ThreadPool::ThreadPool(const Options& options)
    : workers_(valid_threads(options.threads)),
      barrier_(workers_, spin_limit(workers_)),
      started_(spin_limit(workers_)),
      finished_(spin_limit(workers_)) {
  SignalsBlocked blocked;  // new threads inherit the mask
  threads_.reserve(static_cast<size_t>(workers_ - 1));
  try {
    for (int i = 1; i < workers_; ++i) {
      threads_.emplace_back([this, i] { work(i); });
      pthread_setname_np(threads_.back().native_handle(), fmt::format("motley-{}", i).c_str());
      if (static_cast<size_t>(i) < options.pin_to.size()) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(static_cast<size_t>(options.pin_to[static_cast<size_t>(i)]), &set);
        if (int code = pthread_setaffinity_np(threads_.back().native_handle(), sizeof set, &set); code != 0)
          fail(ErrorKind::usage, "threads", "worker {} cannot be bound to cpu {}: {}", i, options.pin_to[static_cast<size_t>(i)],
               std::generic_category().message(code));
      }
    }
  } catch (const std::system_error& e) {
    size_t got = threads_.size();
    stop();
    fail(ErrorKind::runtime, "threads", "the system gave {} of {} threads ({}); ask for fewer with --threads", got + 1, workers_, e.what());
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_ = true;
  started_.advance();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::work(int worker) {
  for (uint32_t seen = 0;; ++seen) {  // the pool starts at 0 and every start adds 1; no start can be missed, run() waits for all
    started_.wait(seen);
    if (stopping_) return;
    call(worker);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) finished_.advance();
  }
}

void ThreadPool::call(int worker) {
  try {
    call_(function_, worker, workers_);
  } catch (const Barrier::Abandoned&) {  // another worker failed; its error is the one to report
  } catch (...) {
    {
      std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
    barrier_.abandon();
  }
}

void ThreadPool::run_on_all(Call function_call, const void* function) {
  check(!busy_.exchange(true, std::memory_order_acquire), "a thread pool runs one function at a time");
  call_ = function_call;
  function_ = function;
  running_.store(workers_ - 1, std::memory_order_relaxed);
  uint32_t finished = finished_.now();
  started_.advance();
  call(0);
  finished_.wait(finished);
  std::exception_ptr error;
  if (barrier_.abandoned()) {
    error = std::exchange(error_, nullptr);
    barrier_.reset();
  }
  busy_.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

}  // namespace motley
