// Launchers that move elements: transpose, slice, concat, gather. They compute nothing, so they are memcpy in some order. A reshape moves
// nothing: lowering makes it another view of the same bytes.
#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/layout.h"
#include "base/error.h"

namespace motley::cpu {
namespace {

constexpr int64_t kBytesPerTask = 16 << 10;

int64_t element_bytes(const Array& a) { return info(a.dtype).block_bytes; }
int64_t product(const Array& a, int from, int to) {
  int64_t n = 1;
  for (int i = from; i < to; ++i) n *= a.dims[i];
  return n;
}
int64_t grain_for(int64_t bytes) { return kBytesPerTask / std::max<int64_t>(bytes, 1) + 1; }

void transpose(const Launch& l, Worker& w) {
  const auto& perm = std::get<Transpose>(l.op).perm;
  const Array &x = *l.in[0], &y = *l.out[0];
  int64_t x_stride[kMaxRank], stride[kMaxRank], at = 1;
  for (int i = x.rank - 1; i >= 0; --i) x_stride[i] = at, at *= x.dims[i];
  for (int i = 0; i < y.rank; ++i) stride[i] = x_stride[static_cast<size_t>(perm[static_cast<size_t>(i)])];
  // Axes at the end that stay in place move as one run.
  int moved = y.rank;
  int64_t run = 1;
  while (moved > 0 && stride[moved - 1] == run) run *= y.dims[--moved];
  int64_t bytes = run * element_bytes(x), rows = product(y, 0, moved);
  w.split(rows, grain_for(bytes), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row, from = 0;
      for (int i = moved - 1; i >= 0; --i) from += rest % y.dims[i] * stride[i], rest /= y.dims[i];
      std::memcpy(y.data + row * bytes, x.data + from * element_bytes(x), static_cast<size_t>(bytes));
    }
  });
}

void slice(const Launch& l, Worker& w) {
  const auto& s = std::get<Slice>(l.op);
  const Array &x = *l.in[0], &y = *l.out[0];
  int axis = s.axis < 0 ? s.axis + x.rank : s.axis;
  int64_t inner = product(x, axis + 1, x.rank) * element_bytes(x), run = s.size * inner;
  w.split(product(x, 0, axis), grain_for(run), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      std::memcpy(y.data + r * run, x.data + r * x.dims[axis] * inner + s.begin * inner, static_cast<size_t>(run));
  });
}

void concat(const Launch& l, Worker& w) {
  const Array& y = *l.out[0];
  int axis = std::get<Concat>(l.op).axis;
  if (axis < 0) axis += y.rank;
  int64_t inner = product(y, axis + 1, y.rank) * element_bytes(y), row = y.dims[axis] * inner;
  w.split(product(y, 0, axis), grain_for(row), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      std::byte* to = y.data + r * row;
      for (const Array* x : l.in) {
        int64_t run = x->dims[axis] * inner;
        std::memcpy(to, x->data + r * run, static_cast<size_t>(run));
        to += run;
      }
    }
  });
}

void pad(const Launch& l, Worker& w) {
  const auto& p = std::get<Pad>(l.op);
  const Array &x = *l.in[0], &y = *l.out[0];
  int axis = p.axis < 0 ? p.axis + x.rank : p.axis;
  int64_t inner = product(x, axis + 1, x.rank) * element_bytes(x), run = x.dims[axis] * inner, before = p.before * inner, after = p.after * inner;
  w.split(product(x, 0, axis), grain_for(before + run + after), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      std::byte* to = y.data + r * (before + run + after);
      std::memset(to, 0, static_cast<size_t>(before));
      std::memcpy(to + before, x.data + r * run, static_cast<size_t>(run));
      std::memset(to + before + run, 0, static_cast<size_t>(after));
    }
  });
}

void broadcast(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &y = *l.out[0];
  int64_t stride[kMaxRank] = {}, at = 1;
  for (int i = 1; i <= x.rank; ++i) stride[y.rank - i] = x.dim(-i) == 1 ? 0 : at, at *= x.dim(-i);
  int64_t inner = y.rank ? y.dim(-1) : 1, step = y.rank ? stride[y.rank - 1] : 0;
  w.split(y.size() / std::max<int64_t>(inner, 1), grain_for(inner * 4), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      int64_t rest = row, from = 0;
      for (int i = y.rank - 2; i >= 0; --i) from += rest % y.dims[i] * stride[i], rest /= y.dims[i];
      if (step)
        std::memcpy(y.f32() + row * inner, x.f32() + from, static_cast<size_t>(inner) * 4);
      else
        std::fill_n(y.f32() + row * inner, inner, x.f32()[from]);
    }
  });
}

// Scratch: the inputs' order by row and where each row's begin. A row's sum goes by rising input, so it does not depend on who forms it.
void scatter_add(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &ids = *l.in[1], &y = *l.out[0];
  const float* before = l.in.size() == 3 ? l.in[2]->f32() : nullptr;
  int64_t rows = y.dims[0], count = ids.size(), width = y.size() / rows;
  auto* begins = reinterpret_cast<int32_t*>(l.scratch);
  int32_t* order = begins + rows + 1;
  if (w.index() == 0) {
    std::fill(begins, begins + rows + 1, 0);
    for (int64_t i = 0; i < count; ++i) {
      int64_t id = ids.i32()[i];
      if (id < 0 || id >= rows) fail(ErrorKind::usage, "scatter_add", "row {} of {}", id, rows);
      ++begins[id + 1];
    }
    for (int64_t r = 0; r < rows; ++r) begins[r + 1] += begins[r];
    for (int64_t i = count - 1; i >= 0; --i) order[--begins[ids.i32()[i] + 1]] = static_cast<int32_t>(i);
    // Each entry was moved down to its row's begin: the row's own is one place further.
  }
  w.barrier();
  w.split(rows, grain_for(width * 4), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* to = y.f32() + r * width;
      if (!before)
        std::fill_n(to, width, 0.0f);
      else if (before != y.f32())
        std::copy_n(before + r * width, width, to);
      int64_t stop = r + 1 < rows ? begins[r + 2] : count;
      for (int64_t i = begins[r + 1]; i < stop; ++i) l.k.binary[kAdd](to, to, x.f32() + order[i] * width, width, 1, 1);
    }
  });
}

int64_t scatter_scratch(const NodeView& node, const Target&) { return (std::get<ScatterAdd>(node.op).rows + 2 + max_elements(node.in[1].shape)) * 4; }

void scatter_last(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &ids = *l.in[1], &y = *l.out[0];
  int64_t k = x.dim(-1), n = y.dim(-1);
  w.split(y.size() / n, grain_for(n * 4), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      std::fill_n(y.f32() + r * n, n, 0.0f);
      for (int64_t i = r * k; i < (r + 1) * k; ++i) {
        int64_t id = ids.i32()[i];
        if (id < 0 || id >= n) fail(ErrorKind::usage, "scatter_last", "element {} of {}", id, n);
        y.f32()[r * n + id] += x.f32()[i];
      }
    }
  });
}

void gather(const Launch& l, Worker& w) {
  const Array &table = *l.in[0], &ids = *l.in[1], &y = *l.out[0];
  int64_t rows = table.dims[0], row = table.size() / std::max<int64_t>(rows, 1);
  w.split(ids.size(), grain_for(row * 4), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t id = ids.i32()[i];
      if (id < 0 || id >= rows) fail(ErrorKind::usage, "gather", "id {} of a table of {} rows", id, rows);
      read_row(table.dtype, table.layout, table.data, row, id, y.f32() + i * row);
    }
  });
}

std::string refuse_moves(const NodeView& node, const Target&) {
  for (const Type& t : node.in)
    if (is_quantised(t.dtype)) return "moves whole elements, not blocks";
  return refuse_layouts(node);
}

std::string refuse_scatter(const NodeView& node, const Target&) { return refuse_layouts(node); }

std::string refuse_gather(const NodeView& node, const Target&) {
  const Type& table = node.in[0];
  if (float_index(table.dtype) < 0 && !is_block_format(table.dtype)) return "reads tables of f32, f16, bf16 and block formats";
  if (node.layouts[0] == kPanelLayout) return table.rank() == 2 ? "" : "packed tables have two axes";
  return refuse_layouts(node);
}

template <class T>
constexpr CpuKernel entry(const char* name, void (*run)(const Launch&, Worker&),
                          std::string (*refuse)(const NodeView&, const Target&) = refuse_moves) {
  return {{.name = name, .op = op_index<T>(), .numerics = "exact", .refuse = refuse}, run};
}

constexpr CpuKernel kKernels[] = {
    entry<Transpose>("transpose", transpose),
    entry<Slice>("slice", slice),
    entry<Concat>("concat", concat),
    entry<Pad>("pad", pad),
    entry<Broadcast>("broadcast", broadcast),
    entry<Gather>("gather", gather, refuse_gather),
    {{"scatter_add", op_index<ScatterAdd>(), "f32", refuse_scatter, scatter_scratch, 2}, scatter_add},
    entry<ScatterLast>("scatter_last", scatter_last, refuse_scatter),
};

}  // namespace

std::span<const CpuKernel> shape_kernels() { return kKernels; }

}  // namespace motley::cpu
