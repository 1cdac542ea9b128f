// What every device checks before it executes: that a Program is whole, and that a step's sizes and spans are those the Program takes.
// Kernels check none of it.
#pragma once
#include <cstdint>
#include <span>

#include "program/program.h"

namespace motley {

// Error(usage) naming the step, buffer or constant that points outside the Program. Programs come from files as well as from the compiler.
void check_program(const Program& program);

// Error(usage) when T, S or R is outside the Program's range, or when an input or output does not have the size its type has then.
void check_run(const Program& program, const Sizes& sizes, std::span<const std::span<const int32_t>> inputs,
               std::span<const std::span<float>> outputs);

}  // namespace motley
