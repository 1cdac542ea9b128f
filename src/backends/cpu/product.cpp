// Launchers of products with weights: matmul, with what follows it, with a gated pair of weights, and per expert.
//
// Activations are arranged once per step in tiles of rows (tiles.h), int8 for block formats. The output is cut into panels
// of 64 columns x up to 480 rows; a task computes its part from first k to last into memory of its own, in the order that depends on k alone,
// and then writes the result with whatever follows the product (epilogue.h). Weights in plain layout are packed in pieces just before use, so they
// take the same code and give the same bits.
#include "backends/cpu/product.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "backends/cpu/layout.h"
#include "base/error.h"

namespace motley::cpu {
namespace {

constexpr int64_t kChunk = 256;     // k per pass: float sums are closed at its multiples
constexpr int64_t kRowBlock = 480;  // a multiple of every register tile
constexpr int64_t kPrivateBytes = 16 << 10;
constexpr int64_t kSharedRows = 12;  // from so many on, 16-bit weights are made f32 once for all rows; fewer do it tile by tile

// Where the parts of a worker's memory are.
constexpr int64_t kTileBytes = 2 * kRowBlock * kPanelColumns * 4;
constexpr int64_t kPieceBytes = kChunk * kPanelColumns * 4;   // packed on the fly: at most f32
constexpr int64_t kFloatsBytes = kChunk * kPanelColumns * 4;  // of a block format
static_assert(kTileBytes + kPieceBytes + kFloatsBytes + kPrivateBytes <= kWorkerBytes);

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

// f(first row, rows) for the register tiles of rows begin .. end, which are computed together.
template <class Function>
void for_tiles(const KernelTable& k, const Product& p, int64_t begin, int64_t end, Function&& f) {
  if (p.quantised) {
    for (; begin < end; begin += kMaxTileRows) f(begin, static_cast<int>(std::min<int64_t>(kMaxTileRows, end - begin)));
    return;
  }
  int size = k.num_tile_rows - 1;
  while (begin < end) {
    while (k.tile_rows[size] > end - begin) --size;
    f(begin, k.tile_rows[size]);
    begin += k.tile_rows[size];
  }
}

// f(first row, rows) for all register tiles of a step.
template <class Function>
void for_all_tiles(const KernelTable& k, const Product& p, const Rows& rows, Function&& f) {
  for (int64_t s = 0; s < rows.num_segments; ++s)
    for (int64_t begin = rows.begin(s), stop = rows.end(s); begin < stop; begin += kRowBlock)
      for_tiles(k, p, begin, std::min(stop, begin + kRowBlock), f);
}

void arrange_tile(const KernelTable& k, const Product& p, const Rows& rows, int64_t first, int count, std::byte* activations) {
  const float* x[kMaxTileRows];
  for (int r = 0; r < count; ++r) x[r] = p.x + rows.out_row(first + r) / rows.share * p.k;
  std::byte* to = activations + first * activation_bytes(p);
  if (!p.quantised) return k.interleave(x, count, p.k, reinterpret_cast<float*>(to));
  auto* scale = reinterpret_cast<float*>(to + count * p.k);
  k.quantise(x, count, p.k, reinterpret_cast<int8_t*>(to), scale, reinterpret_cast<int32_t*>(scale + count * (p.k / 32)));
}

// Arranges all rows; the result is where every worker finds it.
const std::byte* arrange(const KernelTable& k, const Product& p, const Rows& rows, std::byte* shared, Worker& w) {
  if (rows.count * activation_bytes(p) <= kPrivateBytes) {  // quicker done by each than waited for
    std::byte* mine = w.memory() + kWorkerBytes - kPrivateBytes;
    for_all_tiles(k, p, rows, [&](int64_t first, int count) { arrange_tile(k, p, rows, first, count, mine); });
    return mine;
  }
  int64_t tiles = 0;
  for_all_tiles(k, p, rows, [&](int64_t, int) { ++tiles; });
  w.split(tiles, 2, [&](int64_t begin, int64_t end) {
    int64_t at = 0;
    for_all_tiles(k, p, rows, [&](int64_t first, int count) {
      if (at >= begin && at < end) arrange_tile(k, p, rows, first, count, shared);
      ++at;
    });
  });
  w.barrier();
  return shared;
}

// One panel of a weight: packed, or made from plain rows chunk by chunk.
class PanelOf {
 public:
  PanelOf(const KernelTable& k, const Product& p, const Weight& weight, int64_t expert, int64_t panel, std::byte* piece)
      : p_(p), weight_(weight), first_column_(panel * kPanelColumns), piece_(piece), one_(k.one_panel) {
    base_ = weight.data + expert * weight.expert_bytes;
  }
  bool packed() const { return weight_.packed; }

  // The panel from k on, for n of them; k is a multiple of kChunk.
  const uint8_t* at(int64_t k, int64_t n) const {
    if (weight_.packed) {
      const std::byte* panel = base_ + (one_ ? 0 : first_column_ / kPanelColumns) * bytes_of_panel(weight_.dtype, p_.k);
      return reinterpret_cast<const uint8_t*>(panel + bytes_of_panel(weight_.dtype, k));
    }
    int valid = static_cast<int>(std::min<int64_t>(kPanelColumns, p_.n - first_column_));
    if (weight_.columns) {
      int64_t element = info(weight_.dtype).block_bytes;
      pack_panel_of_columns(weight_.dtype, base_ + (k * p_.n + first_column_) * element, p_.n * element, valid, n, piece_);
    } else {
      int64_t row = row_bytes(weight_.dtype, p_.k);
      pack_panel(weight_.dtype, base_ + first_column_ * row + row_bytes(weight_.dtype, k), row, valid, n, piece_);
    }
    return reinterpret_cast<const uint8_t*>(piece_);
  }

 private:
  const Product& p_;
  const Weight& weight_;
  int64_t first_column_;
  std::byte* piece_;
  const std::byte* base_;
  bool one_;
};

int64_t ahead_of(const KernelTable& k, Dtype dtype, int64_t rows) {
  if (rows > 1) return k.ahead.rows;
  return dtype == Dtype::q8_0 ? k.ahead.row_of_bytes : k.ahead.row;
}

// c[rows][64] of one task.
void float_panel(const KernelTable& k, const Product& p, Dtype dtype, const PanelOf& panel, const std::byte* activations, int64_t begin, int64_t end,
                 float* c, std::byte* memory) {
  for (int64_t k0 = 0; k0 < p.k; k0 += kChunk) {
    int64_t n = std::min(kChunk, p.k - k0);
    FloatTile tile{.w = panel.at(k0, n), .k = n, .c_stride = kPanelColumns, .first = k0 == 0};
    if (int64_t ahead = ahead_of(k, dtype, end - begin); panel.packed() && ahead > 0) {
      tile.ask_step = bytes_of_panel(dtype, n) / n;
      tile.ask = tile.w + (end - begin == 1 ? ahead : bytes_of_panel(dtype, n));
    }
    auto* multiply = k.float_tile[0];
    auto* floats = reinterpret_cast<float*>(memory);
    if (is_block_format(dtype)) {
      k.unpack_floats[block_format(dtype)](tile.w, n / 32, floats);
      tile.w = reinterpret_cast<const uint8_t*>(floats);
    } else if (dtype != Dtype::f32 && end - begin >= kSharedRows) {
      k.cache_to_float[dtype == Dtype::f16 ? kCacheF16 : kCacheBf16](floats, reinterpret_cast<const std::byte*>(tile.w), n * kPanelColumns);
      tile.w = reinterpret_cast<const uint8_t*>(floats);
    } else {
      multiply = k.float_tile[float_index(dtype)];
    }
    for_tiles(k, p, begin, end, [&](int64_t first, int count) {
      tile.a = reinterpret_cast<const float*>(activations + first * p.k * 4) + k0 * count;
      tile.rows = count;
      tile.c = c + (first - begin) * kPanelColumns;
      multiply(tile);
      tile.ask = nullptr;  // once is enough
    });
  }
}

// Packed weights in one go, so that they are read as one stream; of one row a second panel beside it, where there is one.
void int_panel(const KernelTable& k, const Product& p, Dtype dtype, const PanelOf& panel, const PanelOf* second, const std::byte* activations,
               int64_t begin, int64_t end, float* c, float* c2) {
  int64_t step = panel.packed() ? p.k : kChunk;
  for (int64_t k0 = 0; k0 < p.k; k0 += step) {
    int64_t n = std::min(step, p.k - k0);
    IntTile tile{.w = panel.at(k0, n), .blocks = n / 32, .c_stride = kPanelColumns, .first = k0 == 0, .ahead = ahead_of(k, dtype, end - begin)};
    if (second) tile.w2 = second->at(k0, n), tile.c2 = c2;
    for_tiles(k, p, begin, end, [&](int64_t first, int count) {
      const std::byte* at = activations + first * activation_bytes(p);
      tile.a = reinterpret_cast<const int8_t*>(at) + k0 * count;
      auto* scale = reinterpret_cast<const float*>(at + count * p.k);
      tile.a_scale = scale + k0 / 32 * count;
      tile.a_sum = reinterpret_cast<const int32_t*>(scale + count * (p.k / 32)) + k0 / 32 * 2 * count;
      tile.rows = count;
      tile.c = c + (first - begin) * kPanelColumns;
      k.int_tile[block_format(dtype)](tile);
    });
  }
}

void write_panel(const KernelTable& k, const Product& p, const Rows& rows, int64_t begin, int64_t end, int64_t column, const float* c,
                 const float* c2) {
  int64_t n = std::min<int64_t>(kPanelColumns, p.n - column);
  if (p.epilogue) return p.epilogue->apply(k, begin, end - begin, column, n, c, kPanelColumns);  // rows in their order: none of experts
  for (int64_t i = begin; i < end; ++i) {
    int64_t row = rows.out_row(i);
    float* out = p.out + row * p.n + column;
    const float* from = c + (i - begin) * kPanelColumns;
    if (p.num_weights == 2)
      k.glu[static_cast<size_t>(p.glu)](out, from, c2 + (i - begin) * kPanelColumns, n);
    else
      std::memcpy(out, from, static_cast<size_t>(n) * 4);
  }
}

// Whether one row's product reads panels in pairs: those of two weights, or neighbours of one.
bool in_pairs(const KernelTable& k, const Product& p, const Rows& rows) {
  return k.ahead.pairs && p.quantised && rows.count == 1 && !rows.offsets && p.weights[0].packed && p.weights[0].dtype == p.weights[1].dtype;
}

void multiply(const KernelTable& k, Product& p, const Rows& rows, std::byte* shared, Worker& w) {
  if (p.num_weights == 1) p.weights[1] = p.weights[0];
  const std::byte* activations = arrange(k, p, rows, shared, w);
  const int64_t panels = (p.n + kPanelColumns - 1) / kPanelColumns;
  const bool pairs = in_pairs(k, p, rows);
  auto* c = reinterpret_cast<float*>(w.memory());
  float* c2 = c + kRowBlock * kPanelColumns;
  std::byte* piece = w.memory() + kTileBytes;
  std::byte* floats = piece + kPieceBytes;
  w.split(panels * rows.num_segments, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      int64_t at = task / rows.num_segments, segment = task % rows.num_segments, expert = rows.offsets ? segment : 0;
      for (int64_t begin = rows.begin(segment), stop = rows.end(segment); begin < stop; begin += kRowBlock) {
        int64_t end = std::min(stop, begin + kRowBlock);
        auto panel_of = [&](int weight, int64_t i) { return PanelOf(k, p, p.weights[weight], expert, i, piece); };
        if (pairs && (p.num_weights == 2 || task + 1 < task_end)) {
          const bool neighbours = p.num_weights == 1;
          PanelOf first = panel_of(0, at), second = panel_of(1, at + neighbours);
          int_panel(k, p, p.weights[0].dtype, first, &second, activations, begin, end, c, c2);
          write_panel(k, p, rows, begin, end, at * kPanelColumns, c, c2);
          if (neighbours) write_panel(k, p, rows, begin, end, (at + 1) * kPanelColumns, c2, nullptr), ++task;
          continue;
        }
        for (int i = 0; i < p.num_weights; ++i) {
          PanelOf panel = panel_of(i, at);
          if (p.quantised)
            int_panel(k, p, p.weights[i].dtype, panel, nullptr, activations, begin, end, i ? c2 : c, nullptr);
          else
            float_panel(k, p, p.weights[i].dtype, panel, activations, begin, end, i ? c2 : c, floats);
        }
        write_panel(k, p, rows, begin, end, at * kPanelColumns, c, c2);
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

void fused_matmul(const Launch& l, Worker& w) {
  const auto& op = std::get<FusedMatmul>(l.op);
  const Epilogue epilogue = epilogue_of(l);
  Product p{.quantised = op.activation == ActivationFormat::q8_32, .columns = !op.transpose_w, .epilogue = &epilogue};
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
constexpr const char* kNumerics = "panel.chunk256";
constexpr CpuKernel kKernels[] = {
    {{"matmul_panel", op_index<Matmul>(), kNumerics, refuse_dense<Matmul, true>, dense_scratch<Matmul>}, matmul},
    {{"matmul_plain", op_index<Matmul>(), kNumerics, refuse_dense<Matmul, false>, dense_scratch<Matmul>}, matmul},
    {{"fused_matmul_panel", op_index<FusedMatmul>(), kNumerics, refuse_dense<FusedMatmul, true>, dense_scratch<FusedMatmul>}, fused_matmul},
    {{"fused_matmul_plain", op_index<FusedMatmul>(), kNumerics, refuse_dense<FusedMatmul, false>, dense_scratch<FusedMatmul>}, fused_matmul},
    {{"glu_matmul_panel", op_index<GluMatmul>(), kNumerics, refuse_dense<GluMatmul, true>, dense_scratch<GluMatmul>}, glu_matmul},
    {{"glu_matmul_plain", op_index<GluMatmul>(), kNumerics, refuse_dense<GluMatmul, false>, dense_scratch<GluMatmul>}, glu_matmul},
    {{"expert_matmul_panel", op_index<ExpertMatmul>(), kNumerics, refuse_expert<true>, expert_scratch}, expert_matmul},
    {{"expert_matmul_plain", op_index<ExpertMatmul>(), kNumerics, refuse_expert<false>, expert_scratch}, expert_matmul},
};

}  // namespace

std::span<const CpuKernel> product_kernels() { return kKernels; }

}  // namespace motley::cpu
