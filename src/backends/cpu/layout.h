// The two layouts of weights on the CPU: "plain", the row-major bytes of the checkpoint, and "panel64", 64 rows in the
// order of a product (kernels/panel.h). Packing goes panel by panel, so it streams and any number of threads may share it.
//
//   pack_panel(Dtype::q4_k, rows, row_stride, 64, k, panel);   // 64 rows of the checkpoint
//   read_row(weight, 5, out);                                  // one row as floats, from either layout
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backends/cpu/kernels/panel.h"
#include "tensor/dtype.h"

namespace motley::cpu {

inline constexpr std::string_view kPanelLayout = "panel64";

bool is_block_format(Dtype dtype);
BlockFormat block_format(Dtype dtype);  // of a block format
int float_index(Dtype dtype);           // f32 0, f16 1, bf16 2; -1 for others: the index in KernelTable::float_tile

// Which types can be packed, with rows of k elements.
bool can_pack(Dtype dtype, int64_t k);

int64_t bytes_of_panel(Dtype dtype, int64_t k);
int64_t bytes_of_panels(Dtype dtype, int64_t n, int64_t k);  // of a matrix [n, k]

// Packs num_rows (1 to 64) rows of k elements, `stride` bytes apart; missing rows become zeros. `panel` is aligned to 64 bytes.
void pack_panel(Dtype dtype, const std::byte* rows, int64_t stride, int num_rows, int64_t k, std::byte* panel);
// The same from a float matrix stored [K, N]: num_columns neighbouring columns of k rows, `stride` bytes apart.
void pack_panel_of_columns(Dtype dtype, const std::byte* columns, int64_t stride, int num_columns, int64_t k, std::byte* panel);

// Row `row` of a matrix [n, k] in either layout, as floats.
void read_row(Dtype dtype, std::string_view layout, const std::byte* weight, int64_t k, int64_t row, float* out);

}  // namespace motley::cpu
