// The kernels of the instruction set being compiled, as table.cpp gathers them. Meanings are in table.h.
#pragma once
#include "backends/cpu/kernels/table.h"

namespace motley::cpu::MOTLEY_ISA {

void fill_elementwise(KernelTable& table);
void fill_rows(KernelTable& table);
void fill_rope(KernelTable& table);
void fill_finish(KernelTable& table);
void fill_float_products(KernelTable& table);
void fill_block_products(KernelTable& table);
void fill_attention(KernelTable& table);
void fill_learning(KernelTable& table);
void fill_updates(KernelTable& table);
void fill_probes(KernelTable& table);

// Fills a whole table: the one name other code knows of this instruction set.
void fill_table(KernelTable& table);

}  // namespace motley::cpu::MOTLEY_ISA
