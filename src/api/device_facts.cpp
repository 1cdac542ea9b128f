#include "api/device_facts.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "backends/cpu/isa.h"
#include "base/cores.h"
#include "base/text.h"
#include "runtime/probe.h"

namespace motley {
namespace {

// Memory that could be had without pushing anything out, by the system's own estimate; files in /proc have no size, so read_file() is not
// for them.
int64_t available_memory() {
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (!file) return 0;
  char line[256];
  long long kilobytes = 0;
  while (std::fgets(line, sizeof line, file) && std::sscanf(line, "MemAvailable: %lld kB", &kilobytes) != 1) {
  }
  std::fclose(file);
  return int64_t{kilobytes} * 1024;
}

std::vector<InstructionSet> instruction_sets(const std::string& chosen) {
  std::vector<InstructionSet> out;
  const bool forced = std::getenv("MOTLEY_ISA") != nullptr;
  for (cpu::Isa isa : cpu::compiled_isas()) {
    InstructionSet set{cpu::name(isa), cpu::name(isa) == chosen, ""};
    if (!cpu::runs_here(isa)) {
      set.refusal = std::string("this processor lacks some of ") + cpu::needs(isa);
    } else if (!set.chosen) {
      set.refusal = forced ? "MOTLEY_ISA names another" : "a better one runs here";
    }
    out.push_back(std::move(set));
  }
  std::ranges::reverse(out);
  return out;
}

void measure(DeviceFacts& facts, const DeviceWishes& wishes, bool thorough) {
  auto device = open_device(facts.target.name, wishes);
  const ReadProbe read = thorough ? probe_read_bandwidth(*device) : probe_read_bandwidth(*device, int64_t{1} << 28, 1);
  const int passes = thorough ? 5 : 1;
  facts.read_bytes_per_second = read.bytes_per_second;
  facts.read_streams = read.best.streams;
  facts.read_ahead = read.best.ahead;
  facts.f32_per_second = probe_multiply_add(*device, ActivationFormat::f32, passes);
  facts.int8_per_second = probe_multiply_add(*device, ActivationFormat::q8_32, passes);
}

}  // namespace

std::vector<DeviceFacts> device_facts(const DeviceWishes& wishes, ProbeDepth depth) {
  std::vector<DeviceFacts> out;
  for (Target& target : list_targets(wishes)) {
    DeviceFacts facts;
    facts.target = std::move(target);
    if (facts.target.kind == "cpu") {
      const auto cpus = usable_cpus();
      facts.processors = static_cast<int>(cpus.size());
      facts.cores = order_cores("", cpus).physical;
      facts.quota = cpu_quota();
      facts.available_bytes = available_memory();
      facts.instruction_sets = instruction_sets(facts.target.isa);
    }
    if (depth != ProbeDepth::none) measure(facts, wishes, depth == ProbeDepth::thorough);
    out.push_back(std::move(facts));
  }
  return out;
}

}  // namespace motley
