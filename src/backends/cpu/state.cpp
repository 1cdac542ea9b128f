#include "backends/cpu/state.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/cpu/layout.h"
#include "base/error.h"

namespace motley::cpu {
namespace {

constexpr int64_t kPartBytes = 4 << 20;  // of the source, per thread, at a time

struct Matrix {
  int64_t experts, n, k;
};

Matrix matrix_of(const Type& type) {
  int rank = type.rank();
  if (rank != 2 && rank != 3) fail(ErrorKind::usage, "upload", "layout {} is for matrices, not {}", kPanelLayout, to_string(type));
  return {rank == 3 ? type.dim(0).n : 1, type.dim(-2).n, type.dim(-1).n};
}

// The whole as work for the pool: parts of plain bytes, read and handed to `use` by whoever is free.
template <class Use>
void in_parts(ThreadPool& pool, int64_t count, int64_t per_part, Use&& use) {
  WorkQueue queue;
  pool.run([&](int, int workers) {
    queue.split(1, (count + per_part - 1) / per_part, 1, workers, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) use(part * per_part, std::min(count, (part + 1) * per_part));
    });
  });
}

void load_plain(CpuState& state, const WeightSource& source, ThreadPool& pool) {
  in_parts(pool, state.bytes, kPartBytes, [&](int64_t begin, int64_t end) {
    source.read(static_cast<uint64_t>(begin), {state.data + begin, static_cast<size_t>(end - begin)});
  });
}

void load_panels(CpuState& state, const Matrix& m, const WeightSource& source, ThreadPool& pool) {
  Dtype dtype = state.type.dtype;
  int64_t row = row_bytes(dtype, m.k), panel = bytes_of_panel(dtype, m.k), panels = (m.n + kPanelColumns - 1) / kPanelColumns;
  int64_t per_part = std::max<int64_t>(1, kPartBytes / std::max<int64_t>(row * kPanelColumns, 1));
  in_parts(pool, m.experts * panels, per_part, [&](int64_t begin, int64_t end) {
    thread_local std::vector<std::byte> rows;
    for (int64_t at = begin; at < end;) {
      // A run of panels of one expert; its last panel may be short of rows.
      int64_t expert = at / panels, first = at % panels, run = std::min(end - at, panels - first), first_row = first * kPanelColumns;
      int64_t num_rows = std::min(m.n, first_row + run * kPanelColumns) - first_row;
      rows.resize(static_cast<size_t>(num_rows * row));
      source.read(static_cast<uint64_t>((expert * m.n + first_row) * row), rows);
      for (int64_t p = 0; p < run; ++p)
        pack_panel(dtype, rows.data() + p * kPanelColumns * row, row,
                   static_cast<int>(std::min<int64_t>(kPanelColumns, num_rows - p * kPanelColumns)), m.k, state.data + (at + p) * panel);
      at += run;
    }
    if (rows.size() > static_cast<size_t>(2 * kPartBytes)) std::vector<std::byte>().swap(rows);
  });
}

}  // namespace

int64_t state_bytes(const Type& type, std::string_view layout) {
  if (layout == kPlainLayout) return max_bytes(type);
  if (layout != kPanelLayout) fail(ErrorKind::usage, "upload", "the CPU knows the layouts {} and {}, not '{}'", kPlainLayout, kPanelLayout, layout);
  Matrix m = matrix_of(type);
  if (!can_pack(type.dtype, m.k)) fail(ErrorKind::usage, "upload", "{} cannot be packed", to_string(type));
  return m.experts * bytes_of_panels(type.dtype, m.n, m.k);
}

CpuState zeroed_state(const Type& type, HostPiece memory) {
  CpuState state{.type = type, .memory = std::move(memory)};
  state.bytes = max_bytes(type);
  state.data = state.memory.data;
  return state;
}

bool is_lent(std::string_view layout, const WeightSource& source) {
  return layout == kPlainLayout && source.whole && reinterpret_cast<uintptr_t>(source.whole) % 4 == 0;
}

CpuState load_state(const std::string& name, const Type& type, std::string_view layout, const WeightSource& source, HostPiece memory,
                    ThreadPool& pool) {
  CpuState state{.type = type, .layout = std::string(layout), .memory = std::move(memory)};
  state.bytes = state_bytes(type, layout);
  if (is_lent(layout, source)) {
    state.lent = source.owner;
    state.data = const_cast<std::byte*>(source.whole);  // only read: weights do not change
    return state;
  }
  if (!source.read) fail(ErrorKind::usage, "upload", "'{}' has no bytes to read", name);
  state.data = state.memory.data;
  if (layout == kPlainLayout)
    load_plain(state, source, pool);
  else
    load_panels(state, matrix_of(type), source, pool);
  return state;
}

}  // namespace motley::cpu
