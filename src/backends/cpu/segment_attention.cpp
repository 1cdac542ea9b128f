// Launchers of attention within packed sequences and of its gradient. Forward goes as in the paged attention: chunks of 64 keys counted from
// the sequence's beginning, joined with running maxima. The gradient is formed block by block of 64 keys x 48 queries, all five products on
// the register-tiled float kernel, with matrices that never leave a worker's memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/gemm.h"
#include "base/error.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

// A run of neighbours of one sequence, and what each of its tokens sees.
struct Masks {
  const int32_t *positions, *seq;
  int64_t tokens, window;
  bool causal;

  // The end of the run that begins at `first`.
  int64_t end_of(int64_t first) const {
    int64_t last = first + 1;
    for (; last < tokens && seq[last] == seq[first]; ++last)
      if (seq[first] >= 0 && positions[last] <= positions[last - 1])
        fail(ErrorKind::usage, "attention", "positions rise within a sequence, but tokens {} and {} have {} and {}", last - 1, last,
             positions[last - 1], positions[last]);
    return last;
  }
  // The first key and the end of the keys that token t of the run first .. last sees.
  int64_t begin(int64_t t, int64_t first) const {
    if (window <= 0) return first;
    return std::partition_point(positions + first, positions + t, [&](int32_t p) { return int64_t{positions[t]} - p >= window; }) - positions;
  }
  int64_t end(int64_t t, int64_t last) const {
    if (causal) return t + 1;
    if (window <= 0) return last;
    return std::partition_point(positions + t, positions + last, [&](int32_t p) { return p - int64_t{positions[t]} < window; }) - positions;
  }
};

template <class Op>
Masks masks_of(const Launch& l) {
  const auto& op = std::get<Op>(l.op);
  return {l.in[3]->i32(), l.in[4]->i32(), l.in[3]->size(), op.window, op.causal};
}

// Rows begin .. end of one head of [T, H, D] as [rows][d].
void copy_head(const Array& x, int64_t head, int64_t begin, int64_t end, float* to) {
  int64_t heads = x.dims[1], d = x.dims[2];
  for (int64_t t = begin; t < end; ++t, to += d) std::memcpy(to, x.f32() + (t * heads + head) * d, static_cast<size_t>(d) * 4);
}

// ---- forward

constexpr int64_t kTokens = 16;    // queries that share loaded keys and values
constexpr int64_t kMaxRows = 128;  // of a block: tokens times heads that share a KV head

int64_t tokens_per_block(int64_t group) { return std::clamp<int64_t>(kMaxRows / group, 1, kTokens); }
int64_t forward_floats(int64_t rows, int64_t d, int64_t dv) { return (kAttendChunk + rows) * (d + dv) + 2 * rows; }

void attend_block(const Launch& l, Worker& w, const Masks& masks, int64_t first, int64_t last, int64_t t0, int64_t t1, int64_t kv_head) {
  const auto& op = std::get<Attention>(l.op);
  const Array &q = *l.in[0], &k = *l.in[1], &v = *l.in[2], &y = *l.out[0], &lse = *l.out[1];
  int64_t heads = q.dims[1], d = q.dims[2], dv = v.dims[2], group = heads / k.dims[1], rows = (t1 - t0) * group;
  auto* keys = reinterpret_cast<float*>(w.memory());
  float* values = keys + kAttendChunk * d;
  float* queries = values + kAttendChunk * dv;
  float* out = queries + rows * d;
  float* max = out + rows * dv;
  float* sum = max + rows;
  int begin[kMaxRows], end[kMaxRows];
  const std::byte *key_runs[kAttendChunk / kAttendRun], *value_runs[kAttendChunk / kAttendRun];
  for (int64_t i = 0; i < kAttendChunk / kAttendRun; ++i) {
    key_runs[i] = reinterpret_cast<const std::byte*>(keys + i * kAttendRun * d);
    value_runs[i] = reinterpret_cast<const std::byte*>(values + i * kAttendRun * dv);
  }
  int64_t from = last, to = first;
  for (int64_t t = t0; t < t1; ++t) {
    from = std::min(from, masks.begin(t, first)), to = std::max(to, masks.end(t, last));
    for (int64_t g = 0; g < group; ++g) {
      int64_t r = (t - t0) * group + g;
      l.k.binary[kMul](queries + r * d, q.f32() + (t * heads + kv_head * group + g) * d, &op.scale, d, 1, 0);
      max[r] = -INFINITY, sum[r] = 0;
    }
  }
  std::fill_n(out, rows * dv, 0.0f);
  for (int64_t chunk = first + (from - first) / kAttendChunk * kAttendChunk; chunk < to; chunk += kAttendChunk) {
    int64_t stop = std::min(chunk + kAttendChunk, to);
    copy_head(k, kv_head, chunk, stop, keys);
    copy_head(v, kv_head, chunk, stop, values);
    for (int64_t t = t0; t < t1; ++t) {
      int64_t b = std::clamp<int64_t>(masks.begin(t, first) - chunk, 0, kAttendChunk),
              e = std::clamp<int64_t>(masks.end(t, last) - chunk, 0, stop - chunk);
      for (int64_t g = 0; g < group; ++g) begin[(t - t0) * group + g] = static_cast<int>(b), end[(t - t0) * group + g] = static_cast<int>(e);
    }
    l.k.attend({.q = queries,
                .rows = static_cast<int>(rows),
                .d = d,
                .dv = dv,
                .k_type = kCacheF32,
                .v_type = kCacheF32,
                .k = key_runs,
                .v = value_runs,
                .next_k = nullptr,
                .next_v = nullptr,
                .k_bytes = 4 * d,
                .v_bytes = 4 * dv,
                .begin = begin,
                .end = end,
                .softcap = op.softcap,
                .state = {out, max, sum}});
  }
  for (int64_t r = 0; r < rows; ++r) {
    int64_t at = (t0 + r / group) * heads + kv_head * group + r % group;
    l.k.binary[kDiv](y.f32() + at * dv, out + r * dv, sum + r, dv, 1, 0);
    lse.f32()[at] = max[r] + std::log(sum[r]);
  }
}

void attention(const Launch& l, Worker& w) {
  const Array &q = *l.in[0], &k = *l.in[1], &v = *l.in[2], &y = *l.out[0], &lse = *l.out[1];
  Masks masks = masks_of<Attention>(l);
  int64_t kv_heads = k.dims[1], heads = q.dims[1], dv = v.dims[2], block = tokens_per_block(heads / kv_heads);
  int64_t blocks = (masks.tokens + block - 1) / block;
  // Runs are few: everyone finds them, and a block of tokens is parted where a run ends.
  w.split(blocks * kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      int64_t t0 = task / kv_heads * block, stop = std::min(masks.tokens, t0 + block), head = task % kv_heads;
      for (int64_t first = 0, last; first < stop; first = last) {
        last = masks.end_of(first);
        int64_t begin = std::max(first, t0), end = std::min(last, stop);
        if (begin >= end) continue;
        if (masks.seq[first] >= 0) {
          attend_block(l, w, masks, first, last, begin, end, head);
          continue;
        }
        int64_t group = heads / kv_heads;
        for (int64_t t = begin; t < end; ++t) {
          std::fill_n(y.f32() + (t * heads + head * group) * dv, group * dv, 0.0f);
          std::fill_n(lse.f32() + t * heads + head * group, group, 0.0f);
        }
      }
    }
  });
}

// ---- gradient

constexpr int64_t kQueries = 48;

int64_t panel_floats(int64_t rows, int64_t columns) { return rows * ((columns + kPanelColumns - 1) / kPanelColumns) * kPanelColumns; }

// [rows][columns] as panels [columns / 64][rows][64].
void to_panels(const float* x, int64_t x_row, int64_t rows, int64_t columns, float* to) {
  for (int64_t c = 0; c < columns; c += kPanelColumns, to += rows * kPanelColumns)
    pack_columns(x + c, x_row, 1, std::min<int64_t>(kPanelColumns, columns - c), rows, to);
}

// to[m][columns], rows to_row apart, += tiles times panels.
void add_product(const KernelTable& table, const float* tiles, int64_t m, int64_t k, const float* panels, int64_t columns, float* own, float* to,
                 int64_t to_row) {
  for (int64_t c = 0; c < columns; c += kPanelColumns, panels += k * kPanelColumns) {
    multiply_tiles(table, tiles, m, k, panels, own, kPanelColumns, true);
    for (int64_t i = 0; i < m; ++i)
      table.binary[kAdd](to + i * to_row + c, to + i * to_row + c, own + i * kPanelColumns, std::min<int64_t>(kPanelColumns, columns - c), 1, 1);
  }
}

// What a task keeps in a worker's memory.
int64_t gradient_floats(int64_t d, int64_t dv) {
  return panel_floats(d, kAttendChunk) + panel_floats(dv, kAttendChunk) + panel_floats(kAttendChunk, d) + 2 * kAttendChunk * (d + dv) +
         kQueries * (d + dv) + panel_floats(kQueries, d) + panel_floats(kQueries, dv) + 3 * kQueries * kAttendChunk +
         2 * kAttendChunk * kPanelColumns + 64 * 16;
}

class GradientOfHead {
 public:
  GradientOfHead(const Launch& l, Worker& w, const Masks& masks, int64_t first, int64_t last, int64_t kv_head)
      : l_(l),
        op_(std::get<AttentionGrad>(l.op)),
        masks_(masks),
        first_(first),
        last_(last),
        kv_head_(kv_head),
        q_(*l.in[0]),
        k_(*l.in[1]),
        v_(*l.in[2]),
        y_(*l.in[5]),
        lse_(*l.in[6]),
        dy_(*l.in[7]),
        heads_(q_.dims[1]),
        d_(q_.dims[2]),
        dv_(v_.dims[2]),
        group_(heads_ / k_.dims[1]) {
    auto* memory = reinterpret_cast<float*>(w.memory());
    auto take = [&](int64_t n) {
      float* out = memory;
      memory += (n + 15) / 16 * 16;
      return out;
    };
    k_columns_ = take(panel_floats(d_, kAttendChunk)), v_columns_ = take(panel_floats(dv_, kAttendChunk));
    k_rows_ = take(panel_floats(kAttendChunk, d_));
    dk_ = take(kAttendChunk * d_), dv_sum_ = take(kAttendChunk * dv_);
    q_tiles_ = take(kQueries * d_), dy_tiles_ = take(kQueries * dv_);
    q_rows_ = take(panel_floats(kQueries, d_)), dy_rows_ = take(panel_floats(kQueries, dv_));
    score_ = take(kQueries * kAttendChunk), slope_ = take(kQueries * kAttendChunk), tiles_ = take(kQueries * kAttendChunk);
    own_ = take(kAttendChunk * kPanelColumns);
  }

  void run() {
    const Array& dq = *l_.out[0];
    for (int64_t t = first_; t < last_; ++t) std::fill_n(dq.f32() + (t * heads_ + kv_head_ * group_) * d_, group_ * d_, 0.0f);
    for (int64_t j0 = first_; j0 < last_; j0 += kAttendChunk) keys(j0, std::min(last_, j0 + kAttendChunk));
  }

 private:
  const float* row(const Array& x, int64_t t, int64_t head) const { return x.f32() + (t * x.dims[1] + head) * x.dims[2]; }

  void keys(int64_t j0, int64_t j1) {
    int64_t n = j1 - j0, k_step = k_.dims[1] * d_, v_step = v_.dims[1] * dv_;
    pack_columns(row(k_, j0, kv_head_), 1, k_step, n, d_, k_columns_);
    pack_columns(row(v_, j0, kv_head_), 1, v_step, n, dv_, v_columns_);
    to_panels(row(k_, j0, kv_head_), k_step, n, d_, k_rows_);
    std::fill_n(dk_, n * d_, 0.0f);
    std::fill_n(dv_sum_, n * dv_, 0.0f);
    for (int64_t t0 = first_; t0 < last_; t0 += kQueries) {
      int64_t t1 = std::min(last_, t0 + kQueries);
      bool met = false;
      for (int64_t t = t0; t < t1; ++t) {
        int64_t b = std::clamp<int64_t>(masks_.begin(t, first_) - j0, 0, n), e = std::clamp<int64_t>(masks_.end(t, last_) - j0, 0, n);
        begin_[t - t0] = static_cast<int>(b), end_[t - t0] = static_cast<int>(e);
        met = met || b < e;
      }
      for (int64_t g = 0; g < group_ && met; ++g) block(t0, t1, kv_head_ * group_ + g, n);
    }
    for (int64_t j = j0; j < j1; ++j) {
      std::memcpy(const_cast<float*>(row(*l_.out[1], j, kv_head_)), dk_ + (j - j0) * d_, static_cast<size_t>(d_) * 4);
      std::memcpy(const_cast<float*>(row(*l_.out[2], j, kv_head_)), dv_sum_ + (j - j0) * dv_, static_cast<size_t>(dv_) * 4);
    }
  }

  // Queries t0 .. t1 of one head with the n keys at hand.
  void block(int64_t t0, int64_t t1, int64_t head, int64_t n) {
    int64_t m = t1 - t0, q_step = heads_ * d_, y_step = heads_ * dv_;
    const KernelTable& k = l_.k;
    const float *q = row(q_, t0, head), *dy = row(dy_, t0, head);
    pack_tiles(k, q, q_step, 1, m, d_, q_tiles_);
    pack_tiles(k, dy, y_step, 1, m, dv_, dy_tiles_);
    to_panels(q, q_step, m, d_, q_rows_);
    to_panels(dy, y_step, m, dv_, dy_rows_);
    multiply_tiles(k, q_tiles_, m, d_, k_columns_, score_, kAttendChunk, true);
    multiply_tiles(k, dy_tiles_, m, dv_, v_columns_, slope_, kAttendChunk, true);
    float mean[kQueries], lse[kQueries];
    for (int64_t i = 0; i < m; ++i) {
      mean[i] = k.dot(dy + i * y_step, row(y_, t0 + i, head), dv_);
      lse[i] = lse_.f32()[(t0 + i) * heads_ + head];
    }
    k.attend_slopes({score_, slope_, static_cast<int>(m), begin_, end_, op_.scale, op_.softcap, lse, mean});
    pack_tiles(k, score_, 1, kAttendChunk, n, m, tiles_);
    add_product(k, tiles_, n, m, dy_rows_, dv_, own_, dv_sum_, dv_);
    pack_tiles(k, slope_, 1, kAttendChunk, n, m, tiles_);
    add_product(k, tiles_, n, m, q_rows_, d_, own_, dk_, d_);
    pack_tiles(k, slope_, kAttendChunk, 1, m, n, tiles_);
    add_product(k, tiles_, m, n, k_rows_, d_, own_, const_cast<float*>(row(*l_.out[0], t0, head)), q_step);
  }

  const Launch& l_;
  const AttentionGrad& op_;
  const Masks& masks_;
  int64_t first_, last_, kv_head_;
  const Array &q_, &k_, &v_, &y_, &lse_, &dy_;
  int64_t heads_, d_, dv_, group_;
  float *k_columns_, *v_columns_, *k_rows_, *dk_, *dv_sum_, *q_tiles_, *dy_tiles_, *q_rows_, *dy_rows_, *score_, *slope_, *tiles_, *own_;
  int begin_[kQueries], end_[kQueries];
};

void attention_grad(const Launch& l, Worker& w) {
  Masks masks = masks_of<AttentionGrad>(l);
  int64_t kv_heads = l.in[1]->dims[1], runs = 0;
  for (int64_t first = 0; first < masks.tokens; first = masks.end_of(first)) ++runs;
  w.split(runs * kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
    int64_t first = 0, last = masks.tokens ? masks.end_of(0) : 0, run = 0;
    for (int64_t task = task_begin; task < task_end; ++task) {
      for (; run < task / kv_heads; ++run) first = last, last = masks.end_of(first);
      int64_t head = task % kv_heads;
      if (masks.seq[first] >= 0) {
        GradientOfHead(l, w, masks, first, last, head).run();
        continue;
      }
      for (size_t o = 0; o < 3; ++o) {
        const Array& to = *l.out[o];
        int64_t own = to.dims[1] / kv_heads * to.dims[2];
        for (int64_t t = first; t < last; ++t) std::fill_n(to.f32() + (t * kv_heads + head) * own, own, 0.0f);
      }
    }
  });
}

std::string refuse_forward(const NodeView& node, const Target&) {
  int64_t group = node.in[0].dim(1).n / node.in[1].dim(1).n, rows = tokens_per_block(group) * group;
  if (group > kMaxRows) return "more than 128 heads share a KV head";
  if (forward_floats(rows, node.in[0].dim(2).n, node.in[2].dim(2).n) * 4 > kWorkerBytes) return "heads this large need more memory than a worker has";
  return refuse_layouts(node);
}

std::string refuse_gradient(const NodeView& node, const Target&) {
  if (gradient_floats(node.in[0].dim(2).n, node.in[2].dim(2).n) * 4 > kWorkerBytes) return "heads this large need more memory than a worker has";
  return refuse_layouts(node);
}

constexpr CpuKernel kKernels[] = {
    {{.name = "attention", .op = op_index<Attention>(), .numerics = "f32.chunk64", .refuse = refuse_forward}, attention},
    {{.name = "attention_grad", .op = op_index<AttentionGrad>(), .numerics = "f32.chunk64", .refuse = refuse_gradient}, attention_grad},
};

}  // namespace

std::span<const CpuKernel> segment_attention_kernels() { return kKernels; }

}  // namespace motley::cpu
