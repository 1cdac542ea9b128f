// Launchers of rotary positions, the paged KV cache and attention over it.
#include <algorithm>
#include <cmath>

#include "backends/cpu/distance_bias.h"
#include "base/error.h"
#include "quant/format.h"

namespace motley::cpu {
namespace {

// ---- rope

// Cosines and sines of a worker's latest positions, each at the place of its remainder: sequences of a batch have the same positions, and forming
// these was two thirds of a step's rope.
class Turns {
 public:
  static constexpr int64_t kLeast = 2, kMost = 1024;
  static int64_t bytes(int64_t places, int64_t pairs) { return places * (2 * pairs * 4 + 4); }

  Turns(const Rope& op, const Array& frequencies, int64_t tokens, Worker& w)
      : op_(op), frequencies_(frequencies), pairs_(op.dims / 2), places_(std::clamp<int64_t>(tokens, kLeast, kMost)) {
    while (places_ > kLeast && bytes(places_, pairs_) > kWorkerBytes) places_ /= 2;
    values_ = reinterpret_cast<float*>(w.memory());
    held_ = reinterpret_cast<int32_t*>(values_ + places_ * 2 * pairs_);
    for (int64_t i = 0; i < places_; ++i) held_[i] = static_cast<int32_t>(i + 1);  // whose place is another
  }

  // [pairs] cosines, then as many sines.
  const float* of(int32_t position) {
    const auto place = static_cast<int64_t>(static_cast<uint32_t>(position) % static_cast<uint64_t>(places_));
    float* cos = values_ + place * 2 * pairs_;
    if (held_[place] == position) return cos;
    held_[place] = position;
    for (int64_t i = 0; i < pairs_; ++i) {  // in double: at position 100,000 a float has lost the turn's last digits
      double angle = static_cast<double>(position) * static_cast<double>(frequencies_.f32()[i]);
      cos[i] = static_cast<float>(std::cos(angle) * op_.scale);
      cos[pairs_ + i] = static_cast<float>(std::sin(angle) * op_.scale);
    }
    return cos;
  }

 private:
  const Rope& op_;
  const Array& frequencies_;
  int64_t pairs_, places_;
  float* values_;
  int32_t* held_;
};

void rope(const Launch& l, Worker& w) {
  const auto& op = std::get<Rope>(l.op);
  const Array &x = *l.in[0], &positions = *l.in[1], &y = *l.out[0];
  int64_t heads = x.dims[1], d = x.dims[2], pairs = op.dims / 2;
  auto* turn = op.pairing == RopePairing::half ? l.k.rope_half : l.k.rope_interleaved;
  Turns turns(op, *l.in[2], x.dims[0], w);
  w.split(x.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* cos = turns.of(positions.i32()[t]);
      for (int64_t h = 0; h < heads; ++h) turn(y.f32() + (t * heads + h) * d, x.f32() + (t * heads + h) * d, cos, cos + pairs, pairs, d);
    }
  });
}

std::string refuse_rope(const NodeView& node, const Target&) {
  if (Turns::bytes(Turns::kLeast, std::get<Rope>(node.op).dims / 2) > kWorkerBytes) return "heads this large need more memory than a worker has";
  return refuse_layouts(node);
}

// ---- cache

bool is_cache_type(Dtype d) { return d == Dtype::f32 || d == Dtype::f16 || d == Dtype::bf16 || d == Dtype::q8_0; }

void cache_append(const Launch& l, Worker& w) {
  const Array &cache = *l.out[0], &rows = *l.in[1], &slots = *l.in[2];
  int64_t heads = cache.dims[1], page = cache.dims[2], d = cache.dims[3], bytes = row_bytes(cache.dtype, d);
  const Format& f = format(cache.dtype);
  w.split(rows.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      int64_t slot = slots.i32()[t];
      if (slot < 0 || slot >= cache.dims[0] * page) fail(ErrorKind::usage, "cache_append", "slot {} of a cache of {}", slot, cache.dims[0] * page);
      for (int64_t h = 0; h < heads; ++h)
        f.pack(rows.f32() + (t * heads + h) * d, cache.data + ((slot / page * heads + h) * page + slot % page) * bytes, d);
    }
  });
}

std::string refuse_cache_append(const NodeView& node, const Target&) {
  if (!is_cache_type(node.in[0].dtype)) return "KV pages are f32, f16, bf16 or q8_0";
  return refuse_layouts(node);
}

// ---- attention

// f(position, rows, count) for the runs of positions begin .. end of one sequence that lie together in a page, for one head.
template <class Function>
void for_runs(const KernelTable& k, const Array& cache, const int32_t* table, int64_t head, int64_t begin, int64_t end, Function&& f) {
  int64_t heads = cache.dims[1], page = cache.dims[2], bytes = row_bytes(cache.dtype, cache.dims[3]);
  for (int64_t j = begin; j < end;) {
    int64_t n = std::min(end - j, page - j % page), at = table[j / page];
    if (at < 0 || at >= cache.dims[0]) fail(ErrorKind::usage, "paged_attention", "page {} of a cache of {}", at, cache.dims[0]);
    if (k.one_panel) at = 0;
    f(j, cache.data + ((at * heads + head) * page + j % page) * bytes, n);
    j += n;
  }
}

CacheType cache_type(Dtype d) { return d == Dtype::f32 ? kCacheF32 : d == Dtype::f16 ? kCacheF16 : d == Dtype::bf16 ? kCacheBf16 : kCacheQ8; }

constexpr int64_t kRuns = kAttendChunk / kAttendRun;

// Where the runs of a chunk lie, for one head; pages hold whole runs. Those outside from .. to are the nearest inside.
void find_runs(const KernelTable& k, const Array& cache, const int32_t* table, int64_t head, int64_t chunk, int64_t from, int64_t to,
               const std::byte** runs) {
  int64_t first = std::max(from - chunk, int64_t{0}) / kAttendRun, last = (std::min(to - chunk, int64_t{kAttendChunk}) + kAttendRun - 1) / kAttendRun;
  int64_t bytes = kAttendRun * row_bytes(cache.dtype, cache.dims[3]);
  for_runs(k, cache, table, head, chunk + first * kAttendRun, chunk + last * kAttendRun, [&](int64_t j, const std::byte* rows, int64_t n) {
    for (int64_t i = (j - chunk) / kAttendRun; n > 0; ++i, rows += bytes, n -= kAttendRun) runs[i] = rows;
  });
  std::fill(runs, runs + first, runs[first]);
  std::fill(runs + last, runs + kRuns, runs[last - 1]);
}

// The positions from .. to of a chunk as f32 rows.
void load_rows(const KernelTable& k, const Array& cache, const int32_t* table, int64_t head, int64_t chunk, int64_t from, int64_t to, float* rows) {
  int64_t d = cache.dims[3];
  for_runs(k, cache, table, head, std::max(from, chunk), std::min(to, chunk + kAttendChunk),
           [&](int64_t j, const std::byte* run, int64_t n) { k.cache_to_float[cache_type(cache.dtype)](rows + (j - chunk) * d, run, n * d); });
}

constexpr int64_t kMaxTokens = 8;  // neighbours of one sequence that share loaded keys and values
// Sums are closed at its multiples, whoever computes them: segments of a long sequence may go to different workers.
constexpr int64_t kSegment = 512;
static_assert(kSegment % kAttendChunk == 0);
constexpr int64_t kFewRows = 8;  // so many convert keys and values each time they load them; more share rows converted before

int64_t tokens_per_task(int64_t tokens, int64_t group, int workers, int64_t kv_heads) {
  if (tokens * kv_heads < 8 * workers) return 1;
  return std::clamp<int64_t>(64 / group, 1, kMaxTokens);
}

// The running state of `rows` rows in memory of state_floats.
int64_t state_floats(int64_t rows, int64_t dv) { return rows * (dv + 2); }
AttendState state_at(float* memory, int64_t rows, int64_t dv) { return {memory, memory + rows * dv, memory + rows * (dv + 1)}; }
void clear(const AttendState& s, int64_t rows, int64_t dv) {
  std::fill(s.out, s.out + rows * dv, 0.0f);
  std::fill(s.max, s.max + rows, -INFINITY);
  std::fill(s.sum, s.sum + rows, 0.0f);
}

// Floats of worker memory that a task of `rows` query rows needs; behind them are the biases of a chunk's scores, where there are some.
int64_t attention_floats(int64_t rows, int64_t d, int64_t dv) { return kAttendChunk * (d + dv) + rows * d + 2 * state_floats(rows, dv); }

int64_t first_position(const PagedAttention& op, int64_t p) { return op.window > 0 ? std::max<int64_t>(0, p - op.window + 1) : 0; }

// The rows of tokens first .. last (one sequence) and KV head `head`, chunk by chunk. Positions are taken in segments, each from an empty
// state; done(segment, state) is called for those of segments begin .. end that the rows see.
template <class Function>
void attend_segments(const Launch& l, Worker& w, int64_t first, int64_t last, int64_t head, int64_t segment_begin, int64_t segment_end,
                     Function&& done) {
  const auto& op = std::get<PagedAttention>(l.op);
  const Array &q = *l.in[0], &kc = *l.in[1], &vc = *l.in[2], &tables = *l.in[5];
  const int32_t *positions = l.in[3]->i32(), *seq = l.in[4]->i32();
  int64_t heads = q.dims[1], d = q.dims[2], dv = vc.dims[3], group = heads / kc.dims[1], tokens = last - first, rows = tokens * group;
  const int32_t* table = tables.i32() + seq[first] * tables.dims[1];

  auto* k = reinterpret_cast<float*>(w.memory());
  float* v = k + kAttendChunk * d;
  float* queries = v + kAttendChunk * dv;
  AttendState state = state_at(queries + rows * d, rows, dv);
  float* biases = op.bias ? queries + rows * d + 2 * state_floats(rows, dv) : nullptr;
  int begin[kMaxTokens * 64], end[kMaxTokens * 64];

  int64_t from = INT64_MAX, to = 0, row_from[kMaxTokens];
  for (int64_t t = 0; t < tokens; ++t) {
    int64_t p = positions[first + t];
    row_from[t] = first_position(op, p);
    from = std::min(from, row_from[t]), to = std::max(to, p + 1);
    l.k.binary[kMul](queries + t * group * d, q.f32() + ((first + t) * heads + head * group) * d, &op.scale, group * d, 1, 0);
  }

  // Rows are read in the cache, or converted first where many share them; a run that is cut by a page's end cannot be read there.
  bool convert = rows > kFewRows || kc.dims[2] % kAttendRun != 0;
  const std::byte *k_runs[2][kRuns], *v_runs[2][kRuns];  // of a chunk and the next
  auto find = [&](int64_t chunk) {
    find_runs(l.k, kc, table, head, chunk, from, to, k_runs[chunk / kAttendChunk % 2]);
    find_runs(l.k, vc, table, head, chunk, from, to, v_runs[chunk / kAttendChunk % 2]);
  };
  int64_t start = std::max(from / kAttendChunk * kAttendChunk, segment_begin * kSegment), stop = std::min(to, segment_end * kSegment);
  if (start >= stop) return;
  if (convert)
    for (int64_t i = 0; i < kRuns; ++i)
      k_runs[0][i] = reinterpret_cast<std::byte*>(k + i * kAttendRun * d), v_runs[0][i] = reinterpret_cast<std::byte*>(v + i * kAttendRun * dv);
  else
    find(start);
  for (int64_t chunk = start; chunk < stop; chunk += kAttendChunk) {
    if (chunk == start || chunk % kSegment == 0) clear(state, rows, dv);
    int64_t now = convert ? 0 : chunk / kAttendChunk % 2, next = chunk + kAttendChunk;
    bool more = !convert && next < stop;
    if (more) find(next);
    if (convert) {
      load_rows(l.k, kc, table, head, chunk, from, to, k);
      load_rows(l.k, vc, table, head, chunk, from, to, v);
    }
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t r = t * group; r < (t + 1) * group; ++r) {
        begin[r] = static_cast<int>(std::clamp<int64_t>(row_from[t] - chunk, 0, kAttendChunk));
        end[r] = static_cast<int>(std::clamp<int64_t>(positions[first + t] + 1 - chunk, 0, kAttendChunk));
        if (biases)
          bias_row(*l.in[6], head * group + r % group, positions[first + t], biases + r * kAttendChunk, kAttendChunk,
                   [&](int64_t j) { return chunk + j; });
      }
    l.k.attend({.q = queries,
                .rows = static_cast<int>(rows),
                .d = d,
                .dv = dv,
                .k_type = convert ? kCacheF32 : cache_type(kc.dtype),
                .v_type = convert ? kCacheF32 : cache_type(vc.dtype),
                .k = k_runs[now],
                .v = v_runs[now],
                .next_k = more ? k_runs[1 - now] : nullptr,
                .next_v = more ? v_runs[1 - now] : nullptr,
                .k_bytes = convert ? 4 * d : row_bytes(kc.dtype, d),
                .v_bytes = convert ? 4 * dv : row_bytes(vc.dtype, dv),
                .begin = begin,
                .end = end,
                .softcap = op.softcap,
                .bias = biases,
                .state = state});
    if (next >= stop || next % kSegment == 0) done(chunk / kSegment, state);
  }
}

void write_rows(const Launch& l, const AttendState& total, int64_t first, int64_t last, int64_t head) {
  const Array& y = *l.out[0];
  int64_t heads = y.dims[1], dv = y.dims[2], group = heads / l.in[1]->dims[1];
  for (int64_t t = first, r = 0; t < last; ++t)
    for (int64_t g = 0; g < group; ++g, ++r)
      l.k.binary[kDiv](y.f32() + (t * heads + head * group + g) * dv, total.out + r * dv, total.sum + r, dv, 1, 0);
}

// All positions of the rows by one worker.
void attend_run(const Launch& l, Worker& w, int64_t first, int64_t last, int64_t head) {
  int64_t d = l.in[0]->dims[2], dv = l.in[2]->dims[3], rows = (last - first) * (l.in[0]->dims[1] / l.in[1]->dims[1]);
  float* memory = reinterpret_cast<float*>(w.memory()) + attention_floats(rows, d, dv) - state_floats(rows, dv);
  AttendState total = state_at(memory, rows, dv);
  clear(total, rows, dv);
  attend_segments(l, w, first, last, head, 0, INT64_MAX / kSegment,
                  [&](int64_t, const AttendState& part) { l.k.attend_join(total, part, static_cast<int>(rows), dv); });
  write_rows(l, total, first, last, head);
}

// ---- a step with fewer heads than would keep all workers busy: segments of one head are computed side by side, then joined

constexpr int64_t kMaxSplit = 32;  // (token, KV head) pairs: bounds the scratch memory

int64_t segments(int64_t positions) { return (positions + kSegment - 1) / kSegment; }

int64_t attention_scratch(const NodeView& node, const Target&) {
  const Type &q = node.in[0], &k = node.in[1], &v = node.in[2], &tables = node.in[5];
  int64_t pairs = std::min(kMaxSplit, q.dim(0).n * k.dim(1).n), group = q.dim(1).n / k.dim(1).n;
  return pairs * segments(tables.dim(1).n * k.dim(2).n) * state_floats(group, v.dim(3).n) * 4;
}

void attend_split(const Launch& l, Worker& w, int64_t most_segments) {
  const auto& op = std::get<PagedAttention>(l.op);
  const int32_t* positions = l.in[3]->i32();
  int64_t tokens = l.in[0]->dims[0], kv_heads = l.in[1]->dims[1], group = l.in[0]->dims[1] / kv_heads, dv = l.in[2]->dims[3];
  int64_t floats = state_floats(group, dv);
  auto part_of = [&](int64_t pair, int64_t segment) { return reinterpret_cast<float*>(l.scratch) + (pair * most_segments + segment) * floats; };
  w.split(tokens * kv_heads * most_segments, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end;) {
      int64_t pair = task / most_segments, segment = task % most_segments, count = std::min(end - task, most_segments - segment);
      attend_segments(l, w, pair / kv_heads, pair / kv_heads + 1, pair % kv_heads, segment, segment + count,
                      [&](int64_t s, const AttendState& part) { std::copy_n(part.out, floats, part_of(pair, s)); });
      task += count;
    }
  });
  w.barrier();
  w.split(tokens * kv_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t pair = begin; pair < end; ++pair) {
      int64_t t = pair / kv_heads, p = positions[t];
      AttendState total = state_at(reinterpret_cast<float*>(w.memory()), group, dv);
      clear(total, group, dv);
      for (int64_t s = first_position(op, p) / kSegment; s < segments(p + 1); ++s)
        l.k.attend_join(total, state_at(part_of(pair, s), group, dv), static_cast<int>(group), dv);
      write_rows(l, total, t, t + 1, pair % kv_heads);
    }
  });
}

void paged_attention(const Launch& l, Worker& w) {
  const Array &q = *l.in[0], &kc = *l.in[1], &tables = *l.in[5];
  const int32_t *positions = l.in[3]->i32(), *seq = l.in[4]->i32();
  int64_t tokens = q.dims[0], kv_heads = kc.dims[1], group = q.dims[1] / kv_heads, capacity = tables.dims[1] * kc.dims[2], most = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    if (seq[t] < 0 || seq[t] >= tables.dims[0] || positions[t] < 0 || positions[t] >= capacity)
      fail(ErrorKind::usage, "paged_attention", "token {} names sequence {} and position {}, outside its block table", t, seq[t], positions[t]);
    most = std::max<int64_t>(most, positions[t] + 1);
  }
  int64_t pairs = tokens * kv_heads;
  if (pairs <= kMaxSplit && pairs < 4 * w.workers() && w.workers() > 1 && most > kSegment) return attend_split(l, w, segments(most));

  int64_t block = tokens_per_task(tokens, group, w.workers(), kv_heads), blocks = (tokens + block - 1) / block;
  // Late tokens see more: handing out the last first lets the small ones fill the gaps.
  w.split(blocks * kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      int64_t b = blocks - 1 - task / kv_heads, head = task % kv_heads, stop = std::min(tokens, (b + 1) * block);
      for (int64_t first = b * block, last; first < stop; first = last) {
        for (last = first; last < stop && seq[last] == seq[first];) ++last;
        attend_run(l, w, first, last, head);
      }
    }
  });
}

std::string refuse_attention(const NodeView& node, const Target&) {
  const Type &q = node.in[0], &k = node.in[1], &v = node.in[2];
  if (!is_cache_type(k.dtype) || !is_cache_type(v.dtype)) return "KV pages are f32, f16, bf16 or q8_0";
  int64_t group = q.dim(1).n / k.dim(1).n;
  if (group > 64 * kMaxTokens) return "more than 512 heads share a KV head";
  int64_t rows = std::max<int64_t>(group, std::min<int64_t>(64, group * kMaxTokens));
  int64_t biases = std::get<PagedAttention>(node.op).bias ? rows * kAttendChunk : 0;
  if ((attention_floats(rows, k.dim(3).n, v.dim(3).n) + biases) * 4 > kWorkerBytes) return "heads this large need more memory than a worker has";
  return refuse_layouts(node);
}

constexpr CpuKernel kKernels[] = {
    {{.name = "rope", .op = op_index<Rope>(), .numerics = "f32", .refuse = refuse_rope}, rope},
    {{.name = "cache_append", .op = op_index<CacheAppend>(), .numerics = "exact", .refuse = refuse_cache_append}, cache_append},
    {{.name = "paged_attention",
      .op = op_index<PagedAttention>(),
      .numerics = "f32.segment512",
      .refuse = refuse_attention,
      .scratch_bytes = attention_scratch},
     paged_attention},
};

}  // namespace

std::span<const CpuKernel> attention_kernels() { return kKernels; }

}  // namespace motley::cpu
