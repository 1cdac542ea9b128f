// The CPU as a Device (runtime/device.h): weights packed for its kernels, Programs walked by a pool of threads.
//
//   auto cpu = make_cpu_device({.threads = 2});
//   cpu->upload("lm_head.weight", type, "panel64", source);
//   auto step = cpu->prepare(program);
//   step->run({.T = 1, .S = 1, .R = 1}, inputs, outputs);
#pragma once
#include <memory>
#include <string>

#include "runtime/device.h"

namespace motley {

struct CpuOptions {
  int threads = 0;           // 0: default_threads() of base/cores.h
  std::string isa = "";      // "" chooses the best here, or what MOTLEY_ISA names
  bool pin = false;          // one thread to each core; only for a machine we are alone on
  bool packed = true;        // see CpuTargetOptions
  int64_t memory_limit = 0;  // bytes of states it may hold; 0: what the machine has
};

std::unique_ptr<Device> make_cpu_device(const CpuOptions& options = {});

}  // namespace motley
