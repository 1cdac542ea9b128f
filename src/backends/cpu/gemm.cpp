// The smaller operand is packed by all workers together, a stretch of k at a time, into scratch memory that all read; the other is packed piece
// by piece by whoever needs it. A piece of 64 columns x 256 k stays in the second-level cache while tiles of 6 rows pass over it.
#include "backends/cpu/gemm.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/layout.h"

namespace motley::cpu {
namespace {

constexpr int64_t kChunk = 256;     // k per pass: sums are closed at its multiples
constexpr int64_t kRowBlock = 240;  // a multiple of every register tile
constexpr int64_t kSharedBytes = 16 << 20;
static_assert((kChunk * kRowBlock + kChunk * kPanelColumns + kRowBlock * kPanelColumns) * 4 <= kWorkerBytes);
static_assert((PanelSource::kMaxGroup * kChunk * kPanelColumns + kRowBlock * kPanelColumns + PanelSource::kSpareFloats) * 4 <= kWorkerBytes);

// How much of k is packed together: whole chunks.
int64_t stretch(int64_t shared, int64_t k) {
  return std::min(k, std::max<int64_t>(kSharedBytes / 4 / std::max<int64_t>(shared, 1) / kChunk, 1) * kChunk);
}

int64_t panels(int64_t n) { return (n + kPanelColumns - 1) / kPanelColumns; }

// What of c a panel's tiles write: c itself, or memory of the worker's own where the last panel is narrow.
class Columns {
 public:
  Columns(const Gemm& g, int64_t panel, int64_t begin, int64_t end, float* own)
      : g_(g), column_(panel * kPanelColumns), width_(std::min<int64_t>(kPanelColumns, g.n - column_)), begin_(begin), end_(end), own_(own) {}

  float* data() const { return whole() ? at(begin_) : own_; }
  int64_t row() const { return whole() ? g_.c_row : kPanelColumns; }
  void load() const {
    for (int64_t i = begin_; i < end_ && !whole(); ++i) std::memcpy(own_ + (i - begin_) * kPanelColumns, at(i), bytes());
  }
  void store() const {
    for (int64_t i = begin_; i < end_ && !whole(); ++i) std::memcpy(at(i), own_ + (i - begin_) * kPanelColumns, bytes());
  }
  // Of finished sums, which are still in cache.
  void finish(const KernelTable& k) const { g_.epilogue->apply(k, begin_, end_ - begin_, column_, width_, data(), row()); }

 private:
  bool whole() const { return width_ == kPanelColumns; }
  float* at(int64_t row) const { return g_.c + row * g_.c_row + column_; }
  size_t bytes() const { return static_cast<size_t>(width_) * 4; }
  const Gemm& g_;
  int64_t column_, width_, begin_, end_;
  float* own_;
};

void pack_piece(const Gemm& g, int64_t panel, int64_t l0, int64_t n, float* to) {
  int64_t column = panel * kPanelColumns;
  pack_columns(g.b + l0 * g.b_k + column * g.b_column, g.b_k, g.b_column, std::min<int64_t>(kPanelColumns, g.n - column), n, to);
}

// Of a float matrix where it lies.
class PlainPanels final : public PanelSource {
 public:
  explicit PlainPanels(const Gemm& g) : g_(g) {}
  int64_t group() const override { return 1; }
  void fill(int64_t first, int64_t, int64_t l0, int64_t n, float* to, float*) const override { pack_piece(g_, first, l0, n, to); }

 private:
  const Gemm& g_;
};

// a is shared: a task is a group of panels of b, for a part of the rows.
void panels_over_rows(const Gemm& g, const PanelSource& b, int64_t l0, int64_t length, const KernelTable& k, float* shared, Worker& w) {
  int64_t blocks = (g.m + kRowBlock - 1) / kRowBlock;
  w.split(blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      int64_t row = block * kRowBlock;
      pack_tiles(k, g.a + row * g.a_row + l0 * g.a_k, g.a_row, g.a_k, std::min(kRowBlock, g.m - row), length, shared + row * length);
    }
  });
  w.barrier();
  auto* piece = reinterpret_cast<float*>(w.memory());
  float *own = piece + b.group() * kChunk * kPanelColumns, *spare = own + kRowBlock * kPanelColumns;
  const int64_t groups = (panels(g.n) + b.group() - 1) / b.group();
  // Few groups for many workers: the rows are parted too, in whole blocks.
  int64_t parts = std::clamp<int64_t>(4 * w.workers() / groups, 1, blocks), per_part = (blocks + parts - 1) / parts * kRowBlock;
  w.split(groups * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t panel = task / parts * b.group(), count = std::min(b.group(), panels(g.n) - panel);
      int64_t first = task % parts * per_part, stop = std::min(g.m, first + per_part);
      for (int64_t l = 0; l < length; l += kChunk) {
        int64_t n = std::min(kChunk, length - l);
        bool fresh = l0 + l == 0 && !g.add, last = g.epilogue && l0 + l + n == g.k;
        b.fill(panel, count, l0 + l, n, piece, spare);
        for (int64_t row = first; row < stop; row += kRowBlock)
          for (int64_t p = 0; p < count; ++p) {
            Columns c(g, panel + p, row, std::min(stop, row + kRowBlock), own);
            if (!fresh) c.load();
            for_register_tiles(k, std::min(stop - row, kRowBlock), [&](int64_t i, int rows) {
              k.float_tile[0]({.a = shared + (row + i) * length + l * rows,
                               .rows = rows,
                               .w = reinterpret_cast<const uint8_t*>(piece + p * kChunk * kPanelColumns),
                               .k = n,
                               .c = c.data() + i * c.row(),
                               .c_stride = c.row(),
                               .first = fresh});
            });
            c.store();
            if (last) c.finish(k);
          }
      }
    }
  });
}

// Rows of a task: at most kRowBlock, whole register tiles, and as many tasks as the workers can share evenly.
int64_t even_block(int64_t m, const KernelTable& k, int64_t workers) {
  const int64_t tile = k.tile_rows[k.num_tile_rows - 1];
  auto up = [](int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; };
  const int64_t blocks = up((m + kRowBlock - 1) / kRowBlock, workers);
  return std::clamp(up((m + blocks - 1) / std::max<int64_t>(blocks, 1), tile), tile, kRowBlock);
}

// b is shared: a task is a block of rows of a, over all panels.
void rows_over_panels(const Gemm& g, int64_t l0, int64_t length, const KernelTable& k, float* shared, Worker& w) {
  w.split(panels(g.n), 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) pack_piece(g, panel, l0, length, shared + panel * length * kPanelColumns);
  });
  w.barrier();
  auto* tiles = reinterpret_cast<float*>(w.memory());
  float* own = tiles + kChunk * kRowBlock;
  const int64_t block = even_block(g.m, k, w.workers());
  w.split((g.m + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * block; row < std::min(g.m, end * block); row += block) {
      int64_t rows = std::min(block, g.m - row);
      for (int64_t l = 0; l < length; l += kChunk) {
        int64_t n = std::min(kChunk, length - l);
        bool fresh = l0 + l == 0 && !g.add, last = g.epilogue && l0 + l + n == g.k;
        pack_tiles(k, g.a + row * g.a_row + (l0 + l) * g.a_k, g.a_row, g.a_k, rows, n, tiles);
        for (int64_t panel = 0; panel < panels(g.n); ++panel) {
          Columns c(g, panel, row, row + rows, own);
          if (!fresh) c.load();
          multiply_tiles(k, tiles, rows, n, shared + (panel * length + l) * kPanelColumns, c.data(), c.row(), fresh);
          c.store();
          if (last) c.finish(k);
        }
      }
    }
  });
}

}  // namespace

void pack_tiles(const KernelTable& table, const float* a, int64_t a_row, int64_t a_k, int64_t m, int64_t k, float* to) {
  for_register_tiles(table, m, [&](int64_t first, int rows) {
    float* tile = to + first * k;
    const float* from = a + first * a_row;
    if (a_k == 1) {
      const float* x[16];
      for (int r = 0; r < rows; ++r) x[r] = from + r * a_row;
      table.interleave(x, rows, k, tile);
    } else if (rows == 6) {  // of a known size, a copy is two moves
      for (int64_t l = 0; l < k; ++l) std::memcpy(tile + l * 6, from + l * a_k, 6 * sizeof(float));
    } else {
      for (int64_t l = 0; l < k; ++l) std::memcpy(tile + l * rows, from + l * a_k, static_cast<size_t>(rows) * sizeof(float));
    }
  });
}

void pack_columns(const float* b, int64_t b_k, int64_t b_column, int64_t columns, int64_t k, float* to) {
  auto* bytes = reinterpret_cast<const std::byte*>(b);
  auto* out = reinterpret_cast<std::byte*>(to);
  if (b_column == 1)
    pack_panel_of_columns(Dtype::f32, bytes, b_k * 4, static_cast<int>(columns), k, out);
  else
    pack_panel(Dtype::f32, bytes, b_column * 4, static_cast<int>(columns), k, out);
}

void multiply_tiles(const KernelTable& table, const float* tiles, int64_t m, int64_t k, const float* panel, float* c, int64_t c_row, bool first) {
  for_register_tiles(table, m, [&](int64_t i, int rows) {
    table.float_tile[0]({.a = tiles + i * k,
                         .rows = rows,
                         .w = reinterpret_cast<const uint8_t*>(panel),
                         .k = k,
                         .c = c + i * c_row,
                         .c_stride = c_row,
                         .first = first});
  });
}

int64_t gemm_scratch(int64_t m, int64_t n, int64_t k) {
  int64_t shared = std::min(m, panels(n) * kPanelColumns);
  return shared * stretch(shared, k) * 4;
}

int64_t gemm_scratch_at_most(int64_t m, int64_t n, int64_t k) {
  const int64_t shared = std::min(m, panels(n) * kPanelColumns);
  return std::min(shared * k * 4, std::max(kSharedBytes, shared * kChunk * 4));
}

void gemm(const Gemm& g, const KernelTable& k, std::byte* scratch, Worker& w) {
  auto* shared = reinterpret_cast<float*>(scratch);
  bool share_a = g.m <= panels(g.n) * kPanelColumns;
  int64_t step = stretch(share_a ? g.m : panels(g.n) * kPanelColumns, g.k);
  for (int64_t l0 = 0; l0 < g.k; l0 += step) {
    if (l0 > 0) w.barrier();  // all have read the stretch before
    if (share_a)
      panels_over_rows(g, PlainPanels(g), l0, std::min(step, g.k - l0), k, shared, w);
    else
      rows_over_panels(g, l0, std::min(step, g.k - l0), k, shared, w);
  }
}

void gemm(const Gemm& g, const PanelSource& b, const KernelTable& k, std::byte* scratch, Worker& w) {
  int64_t step = stretch(g.m, g.k);
  for (int64_t l0 = 0; l0 < g.k; l0 += step) {
    if (l0 > 0) w.barrier();
    panels_over_rows(g, b, l0, std::min(step, g.k - l0), k, reinterpret_cast<float*>(scratch), w);
  }
}

}  // namespace motley::cpu
