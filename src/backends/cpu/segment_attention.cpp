// Launchers of attention within packed sequences and of its gradient, all products on the register-tiled float kernel, with matrices that never
// leave a worker's memory. Forward goes by chunks of 64 keys counted from the sequence's beginning, joined with running maxima, so that what is
// beside a sequence changes none of its bits; the gradient block by block of 64 keys x 48 queries.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/distance_bias.h"
#include "backends/cpu/gemm.h"
#include "base/error.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

constexpr size_t kInputs = 5, kGradInputs = 8;  // before the bias or the memory's seq

// Tokens or keys begin .. end.
struct Range {
  int64_t begin = 0, end = 0;
};

// A run of neighbours of one sequence, the keys it meets, and which of them each of its tokens sees.
struct Masks {
  const int32_t *positions, *seq, *memory_seq;  // memory_seq null: a sequence meets itself
  int64_t tokens, memory, window;
  bool causal;

  // The end of the run that begins at `first`.
  int64_t end_of(int64_t first) const {
    int64_t last = first + 1;
    for (; last < tokens && seq[last] == seq[first]; ++last)
      if (!memory_seq && seq[first] >= 0 && positions[last] <= positions[last - 1])
        fail(ErrorKind::usage, "attention", "positions rise within a sequence, but tokens {} and {} have {} and {}", last - 1, last,
             positions[last - 1], positions[last]);
    return last;
  }
  Range keys_of(Range run) const {
    if (!memory_seq) return run;
    const int32_t *begin = std::find(memory_seq, memory_seq + memory, seq[run.begin]), *end = begin;
    while (end < memory_seq + memory && *end == seq[run.begin]) ++end;
    return {begin - memory_seq, end - memory_seq};
  }
  // The keys, of those that its run meets, that token t sees.
  Range seen(int64_t t, Range keys) const {
    if (memory_seq) return keys;
    Range r{keys.begin, causal ? t + 1 : keys.end};
    if (window <= 0) return r;
    r.begin = std::partition_point(positions + keys.begin, positions + t, [&](int32_t p) { return int64_t{positions[t]} - p >= window; }) - positions;
    if (!causal)
      r.end = std::partition_point(positions + t, positions + keys.end, [&](int32_t p) { return p - int64_t{positions[t]} < window; }) - positions;
    return r;
  }
};

template <class Op>
Masks masks_of(const Launch& l, size_t extra) {
  const auto& op = std::get<Op>(l.op);
  return {.positions = l.in[3]->i32(),
          .seq = l.in[4]->i32(),
          .memory_seq = op.memory ? l.in[extra]->i32() : nullptr,
          .tokens = l.in[3]->size(),
          .memory = l.in[1]->dims[0],
          .window = op.window,
          .causal = op.causal};
}

// Nothing seen: zeros.
void clear_rows(const Array& x, int64_t begin, int64_t end, int64_t head, int64_t heads_each) {
  const int64_t d = x.rank > 2 ? x.dims[2] : 1;
  for (int64_t t = begin; t < end; ++t) std::fill_n(x.f32() + (t * x.dims[1] + head * heads_each) * d, heads_each * d, 0.0f);
}

// ---- both directions

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
    if (columns - c >= kPanelColumns) {
      multiply_tiles(table, tiles, m, k, panels, to + c, to_row, false);
      continue;
    }
    multiply_tiles(table, tiles, m, k, panels, own, kPanelColumns, true);
    for (int64_t i = 0; i < m; ++i) table.binary[kAdd](to + i * to_row + c, to + i * to_row + c, own + i * kPanelColumns, columns - c, 1, 1);
  }
}

// ---- forward

constexpr int64_t kBlockRows = 256;  // of a task, at most: tokens times heads that share a KV head
constexpr int64_t kLeastTokens = 48;

// What a task keeps in a worker's memory: once, and of each row.
int64_t chunk_floats(int64_t d, int64_t dv) {
  return panel_floats(d, kAttendChunk) + panel_floats(kAttendChunk, dv) + kBlockRows * kPanelColumns + 8 * 16;
}
int64_t row_floats(int64_t d, int64_t dv, bool bias) { return d + dv + (bias ? 3 : 2) * kAttendChunk + 2; }

// Tokens of a task: as many as share packed keys with profit, but work for all workers. Which it is changes no bit.
int64_t tokens_per_task(int64_t tokens, int64_t kv_heads, int64_t group, int64_t d, int64_t dv, bool bias, int64_t workers) {
  const int64_t rows = std::min(kBlockRows, (kWorkerBytes / 4 - chunk_floats(d, dv)) / row_floats(d, dv, bias));
  return std::min(rows / group, std::max(tokens * kv_heads / (4 * workers), kLeastTokens));
}

// Tokens t0 .. t1 of a run that meets `met`, for the heads that share a KV head.
class BlockOfHeads {
 public:
  BlockOfHeads(const Launch& l, Worker& w, const Masks& masks, Range met, int64_t t0, int64_t t1, int64_t kv_head)
      : l_(l),
        op_(std::get<Attention>(l.op)),
        masks_(masks),
        met_(met),
        t0_(t0),
        count_(t1 - t0),
        kv_head_(kv_head),
        heads_(l.in[0]->dims[1]),
        d_(l.in[0]->dims[2]),
        dv_(l.in[2]->dims[2]),
        group_(heads_ / l.in[1]->dims[1]) {
    auto* memory = reinterpret_cast<float*>(w.memory());
    auto take = [&](int64_t n) {
      float* out = memory;
      memory += (n + 15) / 16 * 16;
      return out;
    };
    const int64_t rows = count_ * group_;
    keys_ = take(panel_floats(d_, kAttendChunk)), values_ = take(panel_floats(kAttendChunk, dv_));
    own_ = take(kBlockRows * kPanelColumns);
    queries_ = take(rows * d_), out_ = take(rows * dv_);
    score_ = take(count_ * kAttendChunk), weights_ = take(count_ * kAttendChunk);
    biases_ = op_.bias ? take(count_ * kAttendChunk) : nullptr;
    max_ = take(rows), sum_ = take(rows);
  }

  void run() {
    const Array &q = *l_.in[0], &y = *l_.out[0], &lse = *l_.out[1];
    const int64_t rows = count_ * group_;
    for (int64_t g = 0; g < group_; ++g)
      pack_tiles(l_.k, q.f32() + (t0_ * heads_ + head(g)) * d_, heads_ * d_, 1, count_, d_, queries_ + g * count_ * d_);
    std::fill_n(out_, rows * dv_, 0.0f);
    std::fill_n(max_, rows, -INFINITY);
    std::fill_n(sum_, rows, 0.0f);
    Range all{met_.end, met_.begin};
    for (int64_t t = t0_; t < t0_ + count_; ++t) {
      const Range seen = masks_.seen(t, met_);
      all = {std::min(all.begin, seen.begin), std::max(all.end, seen.end)};
    }
    for (int64_t j = met_.begin + (all.begin - met_.begin) / kAttendChunk * kAttendChunk; j < all.end; j += kAttendChunk)
      chunk(j, std::min<int64_t>(kAttendChunk, met_.end - j));
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = (t0_ + r % count_) * heads_ + head(r / count_);
      l_.k.binary[kDiv](y.f32() + at * dv_, out_ + r * dv_, sum_ + r, dv_, 1, 0);
      lse.f32()[at] = max_[r] + std::log(sum_[r]);
    }
  }

 private:
  int64_t head(int64_t g) const { return kv_head_ * group_ + g; }

  // The n keys from j0 on.
  void chunk(int64_t j0, int64_t n) {
    const Array &k = *l_.in[1], &v = *l_.in[2];
    int64_t first = count_, last = 0;  // tokens that see any of them
    for (int64_t i = 0; i < count_; ++i) {
      const Range seen = masks_.seen(t0_ + i, met_);
      begin_[i] = static_cast<int>(std::clamp<int64_t>(seen.begin - j0, 0, n)), end_[i] = static_cast<int>(std::clamp<int64_t>(seen.end - j0, 0, n));
      if (begin_[i] < end_[i]) first = std::min(first, i), last = i + 1;
    }
    if (first >= last) return;
    const int64_t tile = l_.k.tile_rows[l_.k.num_tile_rows - 1];
    first = first / tile * tile, last = std::min(count_, (last + tile - 1) / tile * tile);
    const int64_t k_step = k.dims[1] * d_, v_step = v.dims[1] * dv_, m = last - first;
    pack_columns(k.f32() + j0 * k_step + kv_head_ * d_, 1, k_step, n, d_, keys_);
    to_panels(v.f32() + j0 * v_step + kv_head_ * dv_, v_step, n, dv_, values_);
    for (int64_t g = 0; g < group_; ++g) {
      const int64_t row = g * count_ + first;
      multiply_tiles(l_.k, queries_ + row * d_, m, d_, keys_, score_, kAttendChunk, true);
      for (int64_t i = 0; i < m && biases_; ++i)
        bias_row(*l_.in[kInputs], head(g), masks_.positions[t0_ + first + i], biases_ + i * kAttendChunk, n,
                 [&](int64_t j) { return masks_.positions[j0 + j]; });
      l_.k.attend_weights({.score = score_,
                           .rows = m,
                           .dv = dv_,
                           .begin = begin_ + first,
                           .end = end_ + first,
                           .scale = op_.scale,
                           .softcap = op_.softcap,
                           .bias = biases_,
                           .state = {out_ + row * dv_, max_ + row, sum_ + row}});
      pack_tiles(l_.k, score_, kAttendChunk, 1, m, n, weights_);
      add_product(l_.k, weights_, m, n, values_, dv_, own_, out_ + row * dv_, dv_);
    }
  }

  const Launch& l_;
  const Attention& op_;
  const Masks& masks_;
  const Range met_;
  const int64_t t0_, count_, kv_head_, heads_, d_, dv_, group_;
  float *keys_, *values_, *own_, *queries_, *out_, *score_, *weights_, *biases_, *max_, *sum_;
  int begin_[kBlockRows], end_[kBlockRows];
};

void attention(const Launch& l, Worker& w) {
  const Array &q = *l.in[0], &k = *l.in[1];
  Masks masks = masks_of<Attention>(l, kInputs);
  const int64_t kv_heads = k.dims[1], group = q.dims[1] / kv_heads;
  const int64_t block = tokens_per_task(masks.tokens, kv_heads, group, q.dims[2], l.in[2]->dims[2], std::get<Attention>(l.op).bias, w.workers());
  const int64_t blocks = (masks.tokens + block - 1) / block;
  // Runs are few: everyone finds them, and a block of tokens is parted where a run ends.
  w.split(blocks * kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      int64_t t0 = task / kv_heads * block, stop = std::min(masks.tokens, t0 + block), head = task % kv_heads;
      for (int64_t first = 0, last; first < stop; first = last) {
        last = masks.end_of(first);
        int64_t begin = std::max(first, t0), end = std::min(last, stop);
        if (begin >= end) continue;
        Range met = masks.seq[first] >= 0 ? masks.keys_of({first, last}) : Range{};
        if (met.begin < met.end) {
          BlockOfHeads(l, w, masks, met, begin, end, head).run();
          continue;
        }
        for (const Array* out : {l.out[0], l.out[1]}) clear_rows(*out, begin, end, head, group);
      }
    }
  });
}

// ---- gradient

constexpr int64_t kQueries = 48;

// Of a block of queries of one head: its rows and those of the gradient to the output, as tiles and as panels, then each row's numbers.
int64_t query_floats(int64_t d, int64_t dv) { return kQueries * (d + dv) + panel_floats(kQueries, d) + panel_floats(kQueries, dv) + 2 * kQueries; }

// What a task keeps in a worker's memory beside its blocks of queries.
int64_t gradient_floats(int64_t d, int64_t dv) {
  return panel_floats(d, kAttendChunk) + panel_floats(dv, kAttendChunk) + panel_floats(kAttendChunk, d) + 2 * kAttendChunk * (d + dv) +
         3 * kQueries * kAttendChunk + 2 * kAttendChunk * kPanelColumns + kQueries * kAttendChunk + 64 * 16;
}

class GradientOfHead {
 public:
  GradientOfHead(const Launch& l, Worker& w, const Masks& masks, Range tokens, Range met, int64_t kv_head)
      : l_(l),
        op_(std::get<AttentionGrad>(l.op)),
        masks_(masks),
        tokens_(tokens),
        met_(met),
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
    score_ = take(kQueries * kAttendChunk), slope_ = take(kQueries * kAttendChunk), tiles_ = take(kQueries * kAttendChunk);
    own_ = take(kAttendChunk * kPanelColumns);
    biases_ = op_.bias ? take(kQueries * kAttendChunk) : nullptr;
    query_floats_ = (query_floats(d_, dv_) + 15) / 16 * 16;
    const int64_t left = kWorkerBytes / 4 - (memory - reinterpret_cast<float*>(w.memory()));
    const int64_t blocks = (tokens_.end - tokens_.begin + kQueries - 1) / kQueries * group_;
    keeps_queries_ = blocks * query_floats_ <= left;
    queries_ = memory;
  }

  void run() {
    clear_rows(*l_.out[0], tokens_.begin, tokens_.end, kv_head_, group_);
    for (int64_t t0 = tokens_.begin; keeps_queries_ && t0 < tokens_.end; t0 += kQueries)
      for (int64_t g = 0; g < group_; ++g) pack(queries_of(t0, g), t0, std::min(tokens_.end, t0 + kQueries), kv_head_ * group_ + g);
    for (int64_t j0 = met_.begin; j0 < met_.end; j0 += kAttendChunk) keys(j0, std::min(met_.end, j0 + kAttendChunk));
  }

 private:
  struct Queries {
    float *q_tiles, *dy_tiles, *q_rows, *dy_rows, *mean, *lse;
  };
  // Where a block's are: each in its own place where there is room for all, so that every chunk of keys finds them packed.
  Queries queries_of(int64_t t0, int64_t g) const {
    float* at = queries_ + (keeps_queries_ ? (t0 - tokens_.begin) / kQueries * group_ + g : 0) * query_floats_;
    Queries x{
        .q_tiles = at, .dy_tiles = at + kQueries * d_, .q_rows = at + kQueries * (d_ + dv_), .dy_rows = nullptr, .mean = nullptr, .lse = nullptr};
    x.dy_rows = x.q_rows + panel_floats(kQueries, d_);
    x.mean = x.dy_rows + panel_floats(kQueries, dv_);
    x.lse = x.mean + kQueries;
    return x;
  }
  void pack(const Queries& x, int64_t t0, int64_t t1, int64_t head) {
    const int64_t m = t1 - t0, q_step = heads_ * d_, y_step = heads_ * dv_;
    const float *q = row(q_, t0, head), *dy = row(dy_, t0, head);
    pack_tiles(l_.k, q, q_step, 1, m, d_, x.q_tiles);
    pack_tiles(l_.k, dy, y_step, 1, m, dv_, x.dy_tiles);
    to_panels(q, q_step, m, d_, x.q_rows);
    to_panels(dy, y_step, m, dv_, x.dy_rows);
    for (int64_t i = 0; i < m; ++i) {
      x.mean[i] = l_.k.dot(dy + i * y_step, row(y_, t0 + i, head), dv_);
      x.lse[i] = lse_.f32()[(t0 + i) * heads_ + head];
    }
  }

  const float* row(const Array& x, int64_t t, int64_t head) const { return x.f32() + (t * x.dims[1] + head) * x.dims[2]; }

  void keys(int64_t j0, int64_t j1) {
    int64_t n = j1 - j0, k_step = k_.dims[1] * d_, v_step = v_.dims[1] * dv_;
    pack_columns(row(k_, j0, kv_head_), 1, k_step, n, d_, k_columns_);
    pack_columns(row(v_, j0, kv_head_), 1, v_step, n, dv_, v_columns_);
    to_panels(row(k_, j0, kv_head_), k_step, n, d_, k_rows_);
    std::fill_n(dk_, n * d_, 0.0f);
    std::fill_n(dv_sum_, n * dv_, 0.0f);
    for (int64_t t0 = tokens_.begin; t0 < tokens_.end; t0 += kQueries) {
      int64_t t1 = std::min(tokens_.end, t0 + kQueries);
      bool met = false;
      for (int64_t t = t0; t < t1; ++t) {
        Range seen = masks_.seen(t, met_);
        int64_t b = std::clamp<int64_t>(seen.begin - j0, 0, n), e = std::clamp<int64_t>(seen.end - j0, 0, n);
        begin_[t - t0] = static_cast<int>(b), end_[t - t0] = static_cast<int>(e);
        met = met || b < e;
      }
      for (int64_t g = 0; g < group_ && met; ++g) block(t0, t1, kv_head_ * group_ + g, j0, n);
    }
    for (int64_t j = j0; j < j1; ++j) {
      std::memcpy(const_cast<float*>(row(*l_.out[1], j, kv_head_)), dk_ + (j - j0) * d_, static_cast<size_t>(d_) * 4);
      std::memcpy(const_cast<float*>(row(*l_.out[2], j, kv_head_)), dv_sum_ + (j - j0) * dv_, static_cast<size_t>(dv_) * 4);
    }
  }

  // Queries t0 .. t1 of one head with the n keys at hand, which begin at j0.
  void block(int64_t t0, int64_t t1, int64_t head, int64_t j0, int64_t n) {
    const int64_t m = t1 - t0;
    const KernelTable& k = l_.k;
    const Queries x = queries_of(t0, head - kv_head_ * group_);
    if (!keeps_queries_) pack(x, t0, t1, head);
    multiply_tiles(k, x.q_tiles, m, d_, k_columns_, score_, kAttendChunk, true);
    multiply_tiles(k, x.dy_tiles, m, dv_, v_columns_, slope_, kAttendChunk, true);
    for (int64_t i = 0; i < m && biases_; ++i)
      bias_row(*l_.in[kGradInputs], head, masks_.positions[t0 + i], biases_ + i * kAttendChunk, n,
               [&](int64_t j) { return masks_.positions[j0 + j]; });
    k.attend_slopes({score_, slope_, static_cast<int>(m), begin_, end_, op_.scale, op_.softcap, biases_, x.lse, x.mean});
    if (biases_) add_to_bias(t0, m, head, j0);
    pack_tiles(k, score_, 1, kAttendChunk, n, m, tiles_);
    add_product(k, tiles_, n, m, x.dy_rows, dv_, own_, dv_sum_, dv_);
    pack_tiles(k, slope_, 1, kAttendChunk, n, m, tiles_);
    add_product(k, tiles_, n, m, x.q_rows, d_, own_, dk_, d_);
    pack_tiles(k, slope_, kAttendChunk, 1, m, n, tiles_);
    add_product(k, tiles_, m, n, k_rows_, d_, own_, const_cast<float*>(row(*l_.out[0], t0, head)), heads_ * d_);
  }

  // The gradient to a score is that to its bias.
  void add_to_bias(int64_t t0, int64_t m, int64_t head, int64_t j0) {
    const Array& to = *l_.out[3];
    const int64_t reach = to.dims[1] / 2;
    float* middle = to.f32() + head * to.dims[1] + reach;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = begin_[i]; j < end_[i]; ++j)
        middle[std::clamp<int64_t>(masks_.positions[j0 + j] - masks_.positions[t0 + i], -reach, reach)] += slope_[i * kAttendChunk + j] / op_.scale;
  }

  const Launch& l_;
  const AttentionGrad& op_;
  const Masks& masks_;
  const Range tokens_, met_;
  int64_t kv_head_;
  const Array &q_, &k_, &v_, &y_, &lse_, &dy_;
  int64_t heads_, d_, dv_, group_;
  float *k_columns_, *v_columns_, *k_rows_, *dk_, *dv_sum_, *queries_, *score_, *slope_, *tiles_, *own_, *biases_;
  int64_t query_floats_;
  bool keeps_queries_;
  int begin_[kQueries], end_[kQueries];
};

// One run and KV head.
void run_gradient(const Launch& l, Worker& w, const Masks& masks, Range run, int64_t head) {
  const int64_t group = l.in[0]->dims[1] / l.in[1]->dims[1];
  if (masks.seq[run.begin] >= 0) {
    GradientOfHead(l, w, masks, run, masks.keys_of(run), head).run();
    return;
  }
  clear_rows(*l.out[0], run.begin, run.end, head, group);
  if (masks.memory_seq) return;
  for (size_t o : {1, 2}) clear_rows(*l.out[o], run.begin, run.end, head, 1);
}

void attention_grad(const Launch& l, Worker& w) {
  Masks masks = masks_of<AttentionGrad>(l, kGradInputs);
  int64_t kv_heads = l.in[1]->dims[1], group = l.in[0]->dims[1] / kv_heads, runs = 0;
  for (int64_t first = 0; first < masks.tokens; first = masks.end_of(first)) ++runs;
  if (masks.memory_seq) {  // what of the memory nobody sees
    w.split(masks.memory, 16, [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const int32_t seq = masks.memory_seq[j];
        if (seq >= 0 && std::find(masks.seq, masks.seq + masks.tokens, seq) != masks.seq + masks.tokens) continue;
        for (size_t o : {1, 2}) clear_rows(*l.out[o], j, j + 1, 0, kv_heads);
      }
    });
  }
  if (std::get<AttentionGrad>(l.op).bias) {  // a sum over all runs, in their order
    w.split(kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
      for (int64_t head = task_begin; head < task_end; ++head) {
        clear_rows(*l.out[3], head * group, (head + 1) * group, 0, l.out[3]->dims[1]);
        for (int64_t first = 0, last; first < masks.tokens; first = last) {
          last = masks.end_of(first);
          run_gradient(l, w, masks, {first, last}, head);
        }
      }
    });
    return;
  }
  w.split(runs * kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
    Range at{0, masks.tokens ? masks.end_of(0) : 0};
    int64_t run = 0;
    for (int64_t task = task_begin; task < task_end; ++task) {
      for (; run < task / kv_heads; ++run) at = {at.end, masks.end_of(at.end)};
      run_gradient(l, w, masks, at, task % kv_heads);
    }
  });
}

std::string refuse_forward(const NodeView& node, const Target&) {
  const int64_t group = node.in[0].dim(1).n / node.in[1].dim(1).n;
  if (tokens_per_task(1, 1, group, node.in[0].dim(2).n, node.in[2].dim(2).n, std::get<Attention>(node.op).bias, 1) < 1)
    return "so many or so large heads that share a KV head need more memory than a worker has";
  return refuse_layouts(node);
}

std::string refuse_gradient(const NodeView& node, const Target&) {
  const int64_t d = node.in[0].dim(2).n, dv = node.in[2].dim(2).n;
  if ((gradient_floats(d, dv) + query_floats(d, dv)) * 4 > kWorkerBytes) return "heads this large need more memory than a worker has";
  return refuse_layouts(node);
}

constexpr CpuKernel kKernels[] = {
    {{.name = "attention", .op = op_index<Attention>(), .numerics = "panel.chunk64", .refuse = refuse_forward}, attention},
    {{.name = "attention_grad", .op = op_index<AttentionGrad>(), .numerics = "f32.chunk64", .refuse = refuse_gradient}, attention_grad},
};

}  // namespace

std::span<const CpuKernel> segment_attention_kernels() { return kKernels; }

}  // namespace motley::cpu
