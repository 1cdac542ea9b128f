// Launchers of products with weights: matmul, with a sum or a gated pair of weights after it, and per expert.
//
// Activations are arranged once per step in tiles of rows (tiles.h), int8 for block formats. The output is cut into groups of 4 panels
// (64 columns) x up to 480 rows; a task computes its group from first k to last into memory of its own, in the order that depends on k alone,
// and then writes the result with whatever follows the product. Weights in plain layout are packed in pieces just before use, so they
// take the same code and give the same bits. One row reads packed weights directly; more rows unpack each block once for all.
#include "backends/cpu/product.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/layout.h"
#include "base/error.h"

namespace motley::cpu {
namespace {

constexpr int kGroupPanels = 4;
constexpr int64_t kGroupColumns = kGroupPanels * kPanelColumns;
constexpr int64_t kChunk = 256;     // k per pass: float sums are closed at its multiples
constexpr int64_t kRowBlock = 480;  // a multiple of every register tile
constexpr int64_t kPrivateBytes = 128 << 10;

// Where the parts of a worker's memory are.
constexpr int64_t kTileBytes = 2 * kRowBlock * kGroupColumns * 4;
constexpr int64_t kPieceBytes = kGroupPanels * kChunk * kPanelColumns * 4;  // packed on the fly: at most f32
constexpr int64_t kStagedBytes = kChunk / 32 * (512 + 2 * 2 * kPanelColumns * 4);
constexpr int64_t kFloatPieceBytes = kGroupPanels * kChunk * kPanelColumns * 4;
static_assert(kTileBytes + kPieceBytes + kGroupPanels * kStagedBytes + kFloatPieceBytes + kPrivateBytes <= kWorkerBytes);

int64_t activation_bytes(const Product& p) { return p.quantised ? p.k + p.k / 32 * 12 : p.k * 4; }  // of one row

// The rows of a step in the order in which they are computed: all of them, or sorted by expert.
struct Rows {
  int64_t count = 0;
  const int32_t* order = nullptr;    // null: as they are
  const int32_t* offsets = nullptr;  // of experts within order, num_segments + 1 of them; null: row blocks
  int64_t num_segments = 0;
  int64_t share = 1;  // rows that read the same row of x

  int64_t begin(int64_t segment) const { return offsets ? offsets[segment] : segment * kRowBlock; }
  int64_t end(int64_t segment) const { return offsets ? offsets[segment + 1] : std::min(count, (segment + 1) * kRowBlock); }
  int64_t out_row(int64_t i) const { return order ? order[i] : i; }
};

// f(first row, rows) for the register tiles of rows begin .. end.
template <class Function>
void for_tiles(const KernelTable& k, int64_t begin, int64_t end, Function&& f) {
  int size = k.num_tile_rows - 1;
  while (begin < end) {
    while (k.tile_rows[size] > end - begin) --size;
    f(begin, k.tile_rows[size]);
    begin += k.tile_rows[size];
  }
}

void arrange_tile(const KernelTable& k, const Product& p, const Rows& rows, int64_t first, int count, std::byte* activations) {
  const float* x[16];
  for (int r = 0; r < count; ++r) x[r] = p.x + rows.out_row(first + r) / rows.share * p.k;
  std::byte* to = activations + first * activation_bytes(p);
  if (!p.quantised) return k.interleave(x, count, p.k, reinterpret_cast<float*>(to));
  auto* scale = reinterpret_cast<float*>(to + count * p.k);
  k.quantise(x, count, p.k, reinterpret_cast<int8_t*>(to), scale, reinterpret_cast<int32_t*>(scale + count * (p.k / 32)));
}

// Arranges all rows; the result is where every worker finds it.
const std::byte* arrange(const KernelTable& k, const Product& p, const Rows& rows, std::byte* shared, Worker& w) {
  int64_t segments = rows.num_segments;
  if (rows.count * activation_bytes(p) <= kPrivateBytes) {  // quicker done by each than waited for
    std::byte* mine = w.memory() + kWorkerBytes - kPrivateBytes;
    for (int64_t s = 0; s < segments; ++s)
      for_tiles(k, rows.begin(s), rows.end(s), [&](int64_t first, int count) { arrange_tile(k, p, rows, first, count, mine); });
    return mine;
  }
  int64_t tiles = 0;
  for (int64_t s = 0; s < segments; ++s) for_tiles(k, rows.begin(s), rows.end(s), [&](int64_t, int) { ++tiles; });
  w.split(tiles, 2, [&](int64_t begin, int64_t end) {
    int64_t at = 0;
    for (int64_t s = 0; s < segments; ++s)
      for_tiles(k, rows.begin(s), rows.end(s), [&](int64_t first, int count) {
        if (at >= begin && at < end) arrange_tile(k, p, rows, first, count, shared);
        ++at;
      });
  });
  w.barrier();
  return shared;
}

// One group of columns of one weight: packed panels, or plain rows packed chunk by chunk.
class Panels {
 public:
  Panels(const Product& p, const Weight& weight, int64_t expert, int64_t group, std::byte* piece)
      : p_(p), weight_(weight), first_(group * kGroupPanels), piece_(piece) {
    count_ = static_cast<int>(std::min<int64_t>(kGroupPanels, (p.n + kPanelColumns - 1) / kPanelColumns - first_));
    base_ = weight.data + expert * weight.expert_bytes;
  }
  int count() const { return count_; }
  bool packed() const { return weight_.packed; }

  // Panel 0 of the group with columns k .. k + n at `data`, the others `stride` bytes apart; sections are those of a panel of `section_k`.
  struct Piece {
    const std::byte* data;
    int64_t stride, section_k, from_k;
  };
  Piece at(int64_t k, int64_t n) const {
    if (weight_.packed) {
      int64_t stride = bytes_of_panel(weight_.dtype, p_.k);
      return {base_ + first_ * stride, stride, p_.k, k};
    }
    int64_t stride = bytes_of_panel(weight_.dtype, n), row = row_bytes(weight_.dtype, p_.k), element = info(weight_.dtype).block_bytes;
    for (int i = 0; i < count_; ++i) {
      int64_t column = (first_ + i) * kPanelColumns;
      int valid = static_cast<int>(std::min<int64_t>(kPanelColumns, p_.n - column));
      if (weight_.columns)
        pack_panel_of_columns(weight_.dtype, base_ + (k * p_.n + column) * element, p_.n * element, valid, n, piece_ + i * stride);
      else
        pack_panel(weight_.dtype, base_ + column * row + row_bytes(weight_.dtype, k), row, valid, n, piece_ + i * stride);
    }
    return {piece_, stride, n, 0};
  }

 private:
  const Product& p_;
  const Weight& weight_;
  int64_t first_;
  std::byte* piece_;
  int count_;
  const std::byte* base_;
};

const uint8_t* bytes(const std::byte* p) { return reinterpret_cast<const uint8_t*>(p); }

// c[rows][64] of one task.
void float_group(const KernelTable& k, const Product& p, Dtype dtype, const Panels& panels, const std::byte* activations, int64_t begin, int64_t end,
                 float* c, std::byte* memory) {
  for (int64_t k0 = 0; k0 < p.k; k0 += kChunk) {
    int64_t n = std::min(kChunk, p.k - k0);
    Panels::Piece piece = panels.at(k0, n);
    FloatTile tile{.w = bytes(piece.data), .w_stride = piece.stride, .panels = panels.count(), .k = n, .c_stride = kGroupColumns, .first = k0 == 0};
    auto* multiply = k.float_tile[0];
    if (is_block_format(dtype)) {
      auto* floats = reinterpret_cast<float*>(memory);
      const BlockFormat format = block_format(dtype);
      for (int i = 0; i < panels.count(); ++i)
        k.stage_float[format](panel_at(kBlockSpecs[format], bytes(piece.data) + i * piece.stride, piece.section_k, piece.from_k), n / 32,
                              floats + i * n * kPanelColumns);
      tile.w = reinterpret_cast<const uint8_t*>(floats), tile.w_stride = n * kPanelColumns * 4;
    } else {
      multiply = k.float_tile[float_index(dtype)];
      tile.w += piece.from_k * kPanelColumns * info(dtype).block_bytes;
    }
    for_tiles(k, begin, end, [&](int64_t first, int count) {
      tile.a = reinterpret_cast<const float*>(activations + first * p.k * 4) + k0 * count;
      tile.rows = count;
      tile.c = c + (first - begin) * kGroupColumns;
      multiply(tile);
    });
  }
}

// The parts of one tile's activations from block `from` on.
template <class Tile>
void set_activations(Tile& tile, const std::byte* activations, int64_t k, int64_t first, int count, int64_t from) {
  const std::byte* at = activations + first * (k + k / 32 * 12);
  tile.a = reinterpret_cast<const int8_t*>(at) + from * 32 * count;
  auto* scale = reinterpret_cast<const float*>(at + count * k);
  tile.a_scale = scale + from * count;
  tile.a_sum = reinterpret_cast<const int32_t*>(scale + count * (k / 32)) + from * 2 * count;
  tile.rows = count;
}

void int_row_group(const KernelTable& k, const Product& p, BlockFormat format, const Panels& panels, const std::byte* activations, int64_t row,
                   float* c) {
  int64_t step = panels.packed() ? p.k : kChunk;
  for (int64_t k0 = 0; k0 < p.k; k0 += step) {
    int64_t n = std::min(step, p.k - k0);
    Panels::Piece piece = panels.at(k0, n);
    IntTile tile{.w = panel_at(kBlockSpecs[format], bytes(piece.data), piece.section_k, piece.from_k),
                 .w_stride = piece.stride,
                 .panels = panels.count(),
                 .blocks = n / 32,
                 .c = c,
                 .c_stride = kGroupColumns,
                 .first = k0 == 0};
    set_activations(tile, activations, p.k, row, 1, k0 / 32);
    k.int_tile[format](tile);
  }
}

void int_group(const KernelTable& k, const Product& p, BlockFormat format, const Panels& panels, const std::byte* activations, int64_t begin,
               int64_t end, float* c, std::byte* memory) {
  if (end - begin == 1) return int_row_group(k, p, format, panels, activations, begin, c);
  const BlockSpec& spec = kBlockSpecs[format];
  for (int64_t k0 = 0; k0 < p.k; k0 += kChunk) {
    int64_t n = std::min(kChunk, p.k - k0);
    Panels::Piece piece = panels.at(k0, n);
    StagedPanel staged[kGroupPanels];
    for (int i = 0; i < panels.count(); ++i) {
      std::byte* to = memory + i * kStagedBytes;
      auto* q = reinterpret_cast<uint8_t*>(to);
      auto* scale = reinterpret_cast<float*>(to + kChunk / 32 * 512);
      auto* min = scale + kChunk / 32 * 2 * kPanelColumns;
      Panel panel = panel_at(spec, bytes(piece.data) + i * piece.stride, piece.section_k, piece.from_k);
      bool as_stored = spec.low_bits == 8;
      k.stage[format](panel, n / 32, as_stored ? nullptr : q, scale, min);
      staged[i] = {as_stored ? panel.low : q, scale, min};
    }
    for_tiles(k, begin, end, [&](int64_t first, int count) {
      StagedTile tile{.blocks = n / 32, .c_stride = kGroupColumns, .first = k0 == 0};
      set_activations(tile, activations, p.k, first, count, k0 / 32);
      for (int i = 0; i < panels.count(); ++i) {
        tile.w = staged[i];
        tile.c = c + (first - begin) * kGroupColumns + i * kPanelColumns;
        k.staged_tile[format](tile);
      }
    });
  }
}

void write_group(const KernelTable& k, const Product& p, const Rows& rows, int64_t begin, int64_t end, int64_t column, const float* c,
                 const float* c2) {
  int64_t n = std::min(kGroupColumns, p.n - column);
  for (int64_t i = begin; i < end; ++i) {
    int64_t row = rows.out_row(i);
    float* out = p.out + row * p.n + column;
    const float* from = c + (i - begin) * kGroupColumns;
    if (p.num_weights == 2)
      k.glu[static_cast<size_t>(p.glu)](out, from, c2 + (i - begin) * kGroupColumns, n);
    else if (p.add)
      k.binary[kAdd](out, from, p.add + row * p.add_stride + column, n, 1, 1);
    else
      std::memcpy(out, from, static_cast<size_t>(n) * 4);
  }
}

void multiply(const KernelTable& k, const Product& p, const Rows& rows, std::byte* shared, Worker& w) {
  const std::byte* activations = arrange(k, p, rows, shared, w);
  int64_t groups = (p.n + kGroupColumns - 1) / kGroupColumns;
  auto* c = reinterpret_cast<float*>(w.memory());
  std::byte* piece = w.memory() + kTileBytes;
  std::byte* staged = piece + kPieceBytes;
  w.split(groups * rows.num_segments, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      int64_t group = task / rows.num_segments, segment = task % rows.num_segments, expert = rows.offsets ? segment : 0;
      for (int64_t begin = rows.begin(segment), stop = rows.end(segment); begin < stop; begin += kRowBlock) {
        int64_t end = std::min(stop, begin + kRowBlock);
        for (int i = 0; i < p.num_weights; ++i) {
          const Weight& weight = p.weights[i];
          Panels panels(p, weight, expert, group, piece);
          float* to = c + i * kRowBlock * kGroupColumns;
          if (p.quantised)
            int_group(k, p, block_format(weight.dtype), panels, activations, begin, end, to, staged);
          else
            float_group(k, p, weight.dtype, panels, activations, begin, end, to, staged);
        }
        write_group(k, p, rows, begin, end, group * kGroupColumns, c, c + kRowBlock * kGroupColumns);
      }
    }
  });
}

Weight weight_of(const Array& w, bool transposed) {
  int64_t n = w.dim(-2), k = w.dim(-1);
  bool packed = w.layout == kPanelLayout;
  return {.data = w.data,
          .dtype = w.dtype,
          .packed = packed,
          .columns = !transposed,
          .expert_bytes = packed ? bytes_of_panels(w.dtype, n, k) : n * row_bytes(w.dtype, k)};
}

void run_dense(Product& p, const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &weight = *l.in[1];
  p.x = x.f32();
  p.out = l.out[0]->f32();
  p.k = x.dim(-1);
  p.n = l.out[0]->dim(-1);
  bool transposed = !p.columns;
  p.weights[0] = weight_of(weight, transposed);
  if (p.num_weights == 2) p.weights[1] = weight_of(*l.in[2], transposed);
  Rows rows{.count = p.k ? x.size() / p.k : 0};
  rows.num_segments = (rows.count + kRowBlock - 1) / kRowBlock;
  multiply(l.k, p, rows, l.scratch, w);
}

void matmul(const Launch& l, Worker& w) {
  const auto& op = std::get<Matmul>(l.op);
  Product p{.quantised = op.activation == ActivationFormat::q8_32, .columns = !op.transpose_w};
  run_dense(p, l, w);
}

void matmul_add(const Launch& l, Worker& w) {
  const auto& op = std::get<MatmulAdd>(l.op);
  Product p{.quantised = op.activation == ActivationFormat::q8_32, .columns = !op.transpose_w};
  const Array& c = *l.in[2];
  p.add = c.f32();
  p.add_stride = c.rank == 1 ? 0 : l.out[0]->dim(-1);
  run_dense(p, l, w);
}

void glu_matmul(const Launch& l, Worker& w) {
  const auto& op = std::get<GluMatmul>(l.op);
  Product p{.quantised = op.activation == ActivationFormat::q8_32, .num_weights = 2, .glu = op.kind};
  run_dense(p, l, w);
}

// Scratch: the rows' order by expert, where each expert begins, then the activations.
int64_t order_bytes(int64_t rows, int64_t experts) { return ((rows + experts + 1) * 4 + 63) / 64 * 64; }

void expert_matmul(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &weight = *l.in[1], &ids = *l.in[2];
  int64_t experts = weight.dims[0], count = ids.size();
  Product p{.quantised = std::get<ExpertMatmul>(l.op).activation == ActivationFormat::q8_32};
  p.x = x.f32();
  p.out = l.out[0]->f32();
  p.k = x.dim(-1);
  p.n = l.out[0]->dim(-1);
  p.weights[0] = weight_of(weight, true);
  auto* order = reinterpret_cast<int32_t*>(l.scratch);
  int32_t* offsets = order + count;
  if (w.index() == 0) {
    std::fill(offsets, offsets + experts + 1, 0);
    for (int64_t i = 0; i < count; ++i) {
      int32_t id = ids.i32()[i];
      if (id < 0 || id >= experts) fail(ErrorKind::usage, "expert_matmul", "expert {} of {}", id, experts);
      ++offsets[id + 1];
    }
    for (int64_t e = 0; e < experts; ++e) offsets[e + 1] += offsets[e];
    // Filling moves each offset to its expert's end, which is the next one's begin; moved back afterwards.
    for (int64_t i = 0; i < count; ++i) order[offsets[ids.i32()[i]]++] = static_cast<int32_t>(i);
    for (int64_t e = experts; e > 0; --e) offsets[e] = offsets[e - 1];
    offsets[0] = 0;
  }
  w.barrier();
  Rows rows{.count = count, .order = order, .offsets = offsets, .num_segments = experts, .share = x.rank == 2 ? ids.dims[1] : 1};
  multiply(l.k, p, rows, l.scratch + order_bytes(count, experts), w);
}

int64_t activations_at_most(int64_t rows, int64_t k, ActivationFormat format) {
  int64_t bytes = rows * (format == ActivationFormat::q8_32 ? k + k / 32 * 12 : k * 4);
  return bytes <= kPrivateBytes ? 0 : bytes;
}
template <class Op>
int64_t dense_scratch(const NodeView& node, const Target&) {
  int64_t k = node.in[0].dim(-1).n;
  return activations_at_most(max_elements(node.in[0].shape) / std::max<int64_t>(k, 1), k, std::get<Op>(node.op).activation);
}
int64_t expert_scratch(const NodeView& node, const Target&) {
  int64_t rows = max_elements(node.in[2].shape);
  return order_bytes(rows, node.in[1].dim(0).n) + activations_at_most(rows, node.in[0].dim(-1).n, std::get<ExpertMatmul>(node.op).activation);
}

// What all products ask of a weight; k is the length of its rows.
std::string refuse_weight(const Type& w, std::string_view layout, bool transposed, ActivationFormat activation, bool packed) {
  if (layout != (packed ? kPanelLayout : kPlainLayout)) return packed ? "wants the weight in panels" : "wants the weight in plain layout";
  bool quantised = is_block_format(w.dtype);
  if (!quantised && float_index(w.dtype) < 0) return "multiplies f32, f16, bf16 and block formats";
  if (!transposed && (quantised || packed)) return "weights stored [K, N] are floats in plain layout";
  if (quantised && w.dim(-1).n % info(w.dtype).block) return "rows of the weight are not whole blocks";
  if (activation == ActivationFormat::q8_32 && !quantised) return "quantised activations go with block formats";
  return "";
}
template <class Op, bool kPacked>
std::string refuse_dense(const NodeView& node, const Target&) {
  const auto& op = std::get<Op>(node.op);
  bool transposed = true;
  if constexpr (requires { op.transpose_w; }) transposed = op.transpose_w;
  size_t weights = std::is_same_v<Op, GluMatmul> ? 2 : 1;
  for (size_t i = 1; i <= weights; ++i)
    if (std::string why = refuse_weight(node.in[i], node.layouts[i], transposed, op.activation, kPacked); !why.empty()) return why;
  return "";
}
template <bool kPacked>
std::string refuse_expert(const NodeView& node, const Target&) {
  return refuse_weight(node.in[1], node.layouts[1], true, std::get<ExpertMatmul>(node.op).activation, kPacked);
}

// Packed and plain give the same bits, since plain weights are packed on the way: one numerics class.
constexpr const char* kNumerics = "panel16.chunk256";
constexpr CpuKernel kKernels[] = {
    {{"matmul_panel", op_index<Matmul>(), kNumerics, refuse_dense<Matmul, true>, dense_scratch<Matmul>}, matmul},
    {{"matmul_plain", op_index<Matmul>(), kNumerics, refuse_dense<Matmul, false>, dense_scratch<Matmul>}, matmul},
    {{"matmul_add_panel", op_index<MatmulAdd>(), kNumerics, refuse_dense<MatmulAdd, true>, dense_scratch<MatmulAdd>}, matmul_add},
    {{"matmul_add_plain", op_index<MatmulAdd>(), kNumerics, refuse_dense<MatmulAdd, false>, dense_scratch<MatmulAdd>}, matmul_add},
    {{"glu_matmul_panel", op_index<GluMatmul>(), kNumerics, refuse_dense<GluMatmul, true>, dense_scratch<GluMatmul>}, glu_matmul},
    {{"glu_matmul_plain", op_index<GluMatmul>(), kNumerics, refuse_dense<GluMatmul, false>, dense_scratch<GluMatmul>}, glu_matmul},
    {{"expert_matmul_panel", op_index<ExpertMatmul>(), kNumerics, refuse_expert<true>, expert_scratch}, expert_matmul},
    {{"expert_matmul_plain", op_index<ExpertMatmul>(), kNumerics, refuse_expert<false>, expert_scratch}, expert_matmul},
};

}  // namespace

std::span<const CpuKernel> product_kernels() { return kKernels; }

}  // namespace motley::cpu
