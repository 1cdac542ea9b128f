// What the CPU is, as the compile half sees it, without opening it: its instruction set, memory, threads and kernel lists.
//
//   Target t = cpu_target({.threads = 2});
//   Compiled c = compile(graph, t, {});
#pragma once
#include <string>

#include "target/target.h"

namespace motley {

struct CpuTargetOptions {
  int threads = 0;       // 0: default_threads() of base/cores.h
  std::string isa = "";  // "" chooses the best here, or what MOTLEY_ISA names
  bool packed = true;    // false: weights stay plain (they exceed memory and are read where they are mapped)
};

Target cpu_target(const CpuTargetOptions& options = {});

}  // namespace motley
