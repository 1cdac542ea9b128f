#include "backends/cpu/kernels/table.h"

#include "backends/cpu/kernels/functions.h"

namespace motley::cpu::MOTLEY_ISA {

#define MOTLEY_TEXT_OF(x) #x
#define MOTLEY_TEXT(x) MOTLEY_TEXT_OF(x)

void fill_table(KernelTable& table) {
  table.isa = MOTLEY_TEXT(MOTLEY_ISA);
  fill_elementwise(table);
  fill_rows(table);
  fill_rope(table);
  fill_finish(table);
  fill_float_products(table);
  fill_block_products(table);
  fill_attention(table);
  fill_learning(table);
  fill_updates(table);
  fill_probes(table);
}

}  // namespace motley::cpu::MOTLEY_ISA
