// Read bandwidth: streams by prefetch distance, on 1 thread and on all. The best is the limit that decode is measured against.
//
//   backends_cpu_membw [MIB [THREADS]]
#include <fmt/core.h>

#include <algorithm>

#include "backends/cpu/device.h"
#include "base/cores.h"
#include "base/error.h"
#include "base/text.h"
#include "runtime/probe.h"

int main(int argc, char** argv) {
  using namespace motley;
  int64_t mib = argc > 1 ? parse_int(argv[1]).value_or(1024) : 1024;
  int all = argc > 2 ? static_cast<int>(parse_int(argv[2]).value_or(1)) : default_threads();
  try {
    for (int threads = 1; threads <= all; threads += std::max(1, all - 1)) {
      auto cpu = make_cpu_device({.threads = threads});
      ReadProbe p = probe_read_bandwidth(*cpu, mib << 20);
      for (const auto& r : p.readings)
        fmt::print(
            "{{\"device\": \"{}\", \"isa\": \"{}\", \"threads\": {}, \"bytes\": {}, \"streams\": {}, \"prefetch\": {}, \"gb_s\": {:.2f}, "
            "\"fraction\": {:.3f}}}\n",
            cpu->target().description, cpu->target().isa, threads, mib << 20, r.pattern.streams, r.pattern.ahead, r.bytes_per_second * 1e-9,
            r.bytes_per_second / p.bytes_per_second);
    }
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return static_cast<int>(e.kind());
  }
}
