// A Program made ready for the CPU: kernels and states found, memory there. Executables of one device share its arena and threads.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backends/cpu/kernel.h"
#include "backends/cpu/state.h"
#include "runtime/device.h"
#include "runtime/host_memory.h"

namespace motley::cpu {

using StateMap = std::map<std::string, CpuState>;

// What executables use of their device.
struct Shared {
  ThreadPool& pool;
  KernelTable kernels;  // a copy: see Device::omit
  StateMap& states;
  HostMemory arena = {};                       // as large as the largest prepared Program wants
  std::vector<HostMemory> worker_memory = {};  // kWorkerBytes each
  std::vector<WorkQueue> queues = std::vector<WorkQueue>(Worker::kQueues);
  uint32_t use = 0;  // of the queues, so far
};

// Error(usage) naming the step or state that does not fit this device. States may be replaced later, not removed or changed in type.
std::unique_ptr<Executable> prepare_program(const Program& program, Shared& shared);

}  // namespace motley::cpu
