// The instruction sets that kernels are compiled for, and which of them this processor runs. Everything outside kernels/ is compiled for the
// oldest processor of the family, so the question can be asked anywhere.
//
//   Isa isa = choose_isa();                    // the best one here, or what MOTLEY_ISA names
//   const KernelTable& k = kernel_table(isa);
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/cpu/kernels/table.h"

namespace motley::cpu {

enum class Isa { scalar, avx2, avx512, avx512_vnni, neon, neon_dotprod };

const char* name(Isa isa);
std::vector<Isa> compiled_isas();  // worst first; scalar is always there
bool runs_here(Isa isa);
const char* needs(Isa isa);      // what a processor must have to run it, in words
std::vector<Isa> usable_isas();  // those of compiled_isas() that run here

// The best usable one; `forced` (the variable MOTLEY_ISA when empty) names another. Error(usage) when it is unknown or does not run here.
Isa choose_isa(std::string_view forced = {});

const KernelTable& kernel_table(Isa isa);

// The processor's own name for itself, or the architecture's.
std::string processor_name();

}  // namespace motley::cpu
