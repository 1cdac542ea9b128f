// The smaller operand is packed by all workers together, a stretch of k at a time, into scratch memory that all read; the other is packed piece
// by piece by whoever needs it, and stays in the second-level cache while the shared one streams by. A register tile goes on from chunk to chunk
// of k, so that its 6 x 64 sums are in the first-level cache when they are added to; where the next panel begins is asked for meanwhile. Closing
// a whole column's sums chunk by chunk, and asking for nothing, took 8 % longer over the products of GPT-2 124M (1024 rows, two cores of an
// Emerald Rapids, in turns).
#include "backends/cpu/gemm.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/layout.h"

namespace motley::cpu {
namespace {

constexpr int64_t kChunk = 256;      // k per pass: sums are closed at its multiples
constexpr int64_t kPanelLong = 768;  // k of a panel that a worker packs for itself, chunk after chunk
constexpr int64_t kRowsLong = 512;   // of a block of rows
constexpr int64_t kRowBlock = 240;   // a multiple of every register tile
constexpr int64_t kPackRows = 48;    // of it too; what the workers share out when they pack rows together
constexpr int64_t kSharedBytes = 16 << 20;
constexpr int64_t kPieceFloats = std::max(PanelSource::kMaxGroup * kChunk, kPanelLong) * kPanelColumns;
static_assert(kPanelLong % kChunk == 0 && kRowsLong % kChunk == 0);
static_assert((kRowsLong * kRowBlock + kRowBlock * kPanelColumns) * 4 <= kWorkerBytes);
static_assert((kPieceFloats + kRowBlock * kPanelColumns + PanelSource::kSpareFloats) * 4 <= kWorkerBytes);

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

// Rows in register tiles: the tile that begins at row i lies at i * length, its values of k from l on at l * rows of it.
struct Tiles {
  const float* at;
  int64_t length;
};

// c[rows][64] (+)= n of k, from l on, of tiles `first` .. first + rows, times a panel [n][64]. `next`: as many values that will be read soon, to
// ask the memory for; null: none.
void multiply(const KernelTable& k, const Tiles& a, int64_t first, int64_t rows, int64_t l, int64_t n, const float* panel, const Columns& c,
              bool fresh, const float* next) {
  int64_t asked = 0;
  for_register_tiles(k, rows, [&](int64_t i, int count) {
    for (int64_t d = 0; d < n; d += kChunk) {
      FloatTile tile{.a = a.at + (first + i) * a.length + (l + d) * count,
                     .rows = count,
                     .w = reinterpret_cast<const uint8_t*>(panel + d * kPanelColumns),
                     .k = std::min(kChunk, n - d),
                     .c = c.data() + i * c.row(),
                     .c_stride = c.row(),
                     .first = fresh && d == 0};
      if (next && asked < n * kPanelColumns) {
        tile.ask = reinterpret_cast<const uint8_t*>(next + asked), tile.ask_step = 64;
        asked += tile.k * 16;
      }
      k.float_tile[0](tile);
    }
  });
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
  w.split((g.m + kPackRows - 1) / kPackRows, 1, [&](int64_t begin, int64_t end) {
    const int64_t row = begin * kPackRows, rows = std::min(g.m, end * kPackRows) - row;
    pack_tiles(k, g.a + row * g.a_row + l0 * g.a_k, g.a_row, g.a_k, rows, length, shared + row * length);
  });
  w.barrier();
  auto* piece = reinterpret_cast<float*>(w.memory());
  float *own = piece + kPieceFloats, *spare = own + kRowBlock * kPanelColumns;
  const int64_t groups = (panels(g.n) + b.group() - 1) / b.group(), step = b.group() == 1 ? kPanelLong : kChunk;
  // Few groups for many workers: the rows are parted too, in whole blocks.
  const int64_t blocks = (g.m + kRowBlock - 1) / kRowBlock;
  int64_t parts = std::clamp<int64_t>(4 * w.workers() / groups, 1, blocks), per_part = (blocks + parts - 1) / parts * kRowBlock;
  w.split(groups * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t panel = task / parts * b.group(), count = std::min(b.group(), panels(g.n) - panel);
      int64_t first = task % parts * per_part, stop = std::min(g.m, first + per_part);
      for (int64_t l = 0; l < length; l += step) {
        const int64_t n = std::min(step, length - l);
        const bool fresh = l0 + l == 0 && !g.add, last = g.epilogue && l0 + l + n == g.k;
        for (int64_t d = 0; d < n; d += kChunk) b.fill(panel, count, l0 + l + d, std::min(kChunk, n - d), piece + d * kPanelColumns, spare);
        for (int64_t row = first; row < stop; row += kRowBlock)
          for (int64_t p = 0; p < count; ++p) {
            const int64_t rows = std::min(stop - row, kRowBlock);
            Columns c(g, panel + p, row, row + rows, own);
            if (!fresh) c.load();
            multiply(k, {shared, length}, row, rows, l, n, piece + p * kChunk * kPanelColumns, c, fresh, nullptr);
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
  float* own = tiles + kRowsLong * kRowBlock;
  const int64_t block = even_block(g.m, k, w.workers()), count = panels(g.n);
  w.split((g.m + block - 1) / block, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * block; row < std::min(g.m, end * block); row += block) {
      int64_t rows = std::min(block, g.m - row);
      for (int64_t l = 0; l < length; l += kRowsLong) {
        const int64_t n = std::min(kRowsLong, length - l);
        const bool fresh = l0 + l == 0 && !g.add, last = g.epilogue && l0 + l + n == g.k;
        pack_tiles(k, g.a + row * g.a_row + (l0 + l) * g.a_k, g.a_row, g.a_k, rows, n, tiles);
        for (int64_t panel = 0; panel < count; ++panel) {
          Columns c(g, panel, row, row + rows, own);
          if (!fresh) c.load();
          const float* at = shared + (panel * length + l) * kPanelColumns;
          multiply(k, {tiles, n}, 0, rows, 0, n, at, c, fresh, panel + 1 < count ? at + length * kPanelColumns : nullptr);
          c.store();
          if (last) c.finish(k);
        }
      }
    }
  });
}

}  // namespace

void pack_tiles(const KernelTable& table, const float* a, int64_t a_row, int64_t a_k, int64_t m, int64_t k, float* to) {
  if (a_k == 1) {
    for_register_tiles(table, m, [&](int64_t first, int rows) {
      const float* x[16];
      for (int r = 0; r < rows; ++r) x[r] = a + (first + r) * a_row;
      table.interleave(x, rows, k, to + first * k);
    });
    return;
  }
  // A few k for all tiles before the next: what is read is then next to what was read. Steps of 4 KiB and more leave the first-level cache no more
  // than some ten lines.
  constexpr int64_t kBurst = 8;
  for (int64_t l0 = 0; l0 < k; l0 += kBurst) {
    for (int64_t l = l0 + kBurst; l < std::min(k, l0 + 2 * kBurst); ++l)  // steps this long no processor follows by itself
      for (int64_t i = 0; i < m; i += 16) __builtin_prefetch(a + l * a_k + i);
    for_register_tiles(table, m, [&](int64_t first, int rows) {
      const int64_t n = std::min(kBurst, k - l0);
      float* tile = to + first * k + l0 * rows;
      const float* from = a + first + l0 * a_k;
      if (rows == 6)  // of a known size, a copy is two moves
        for (int64_t l = 0; l < n; ++l) std::memcpy(tile + l * 6, from + l * a_k, 6 * sizeof(float));
      else
        for (int64_t l = 0; l < n; ++l) std::memcpy(tile + l * rows, from + l * a_k, static_cast<size_t>(rows) * sizeof(float));
    });
  }
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
