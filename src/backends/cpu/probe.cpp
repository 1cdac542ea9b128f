#include "backends/cpu/probe.h"

#include <atomic>
#include <chrono>
#include <cstring>

#include "runtime/host_memory.h"

namespace motley::cpu {
namespace {

// Seconds that all workers together take for f(worker, workers).
template <class Function>
double timed(ThreadPool& pool, Function&& f) {
  std::chrono::steady_clock::time_point begin, end;
  pool.run([&](int worker, int workers) {
    pool.barrier();
    if (worker == 0) begin = std::chrono::steady_clock::now();
    f(worker, workers);
    pool.barrier();
    if (worker == 0) end = std::chrono::steady_clock::now();
  });
  return std::chrono::duration<double>(end - begin).count();
}

}  // namespace

std::vector<double> probe_reads(const KernelTable& kernels, ThreadPool& pool, std::span<const ReadPattern> patterns, int64_t bytes) {
  HostMemory memory(bytes);
  int64_t share = bytes / pool.workers() / 64 * 64;
  // Touched by those who read it, and not zero, so that no page is the system's shared page of zeros.
  pool.run([&](int worker, int) { std::memset(memory.data() + worker * share, 1, static_cast<size_t>(share)); });
  std::vector<double> rates;
  std::atomic<uint64_t> sum{0};  // keeps the reads from being dropped
  for (const ReadPattern& p : patterns) {
    double seconds = timed(pool, [&](int worker, int) {
      sum += kernels.probe_read(reinterpret_cast<const uint8_t*>(memory.data() + worker * share), share, p.streams, p.ahead);
    });
    rates.push_back(static_cast<double>(share) * pool.workers() / seconds);
  }
  return rates;
}

double probe_multiply_adds(const KernelTable& kernels, ThreadPool& pool, ActivationFormat format) {
  constexpr int64_t kRounds = 200'000;  // about a millisecond: short enough to fall between what else runs
  std::atomic<int64_t> done{0};
  double seconds = timed(pool, [&](int, int) {
    double count = format == ActivationFormat::f32 ? kernels.probe_fma(kRounds) : kernels.probe_int8(kRounds);
    done += static_cast<int64_t>(count);
  });
  return 2 * static_cast<double>(done) / seconds;
}

}  // namespace motley::cpu
