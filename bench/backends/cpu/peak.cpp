// Multiply-adds from registers: the limits that prefill is measured against, per instruction set, on 1 thread and on all.
#include <fmt/core.h>

#include <algorithm>

#include "backends/cpu/device.h"
#include "backends/cpu/isa.h"
#include "base/cores.h"
#include "runtime/probe.h"

int main() {
  using namespace motley;
  int all = default_threads();
  for (cpu::Isa isa : cpu::usable_isas())
    for (int threads = 1; threads <= all; threads += std::max(1, all - 1)) {
      auto device = make_cpu_device({.threads = threads, .isa = cpu::name(isa)});
      fmt::print("{{\"device\": \"{}\", \"isa\": \"{}\", \"threads\": {}, \"f32_gflop_s\": {:.1f}, \"int8_gop_s\": {:.1f}}}\n",
                 device->target().description, cpu::name(isa), threads, probe_multiply_add(*device, ActivationFormat::f32) * 1e-9,
                 probe_multiply_add(*device, ActivationFormat::q8_32) * 1e-9);
    }
}
