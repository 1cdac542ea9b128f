// Launchers of rotary positions, the paged KV cache and attention over it.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "base/error.h"
#include "quant/format.h"

namespace motley::cpu {
namespace {

// ---- rope

// The angle is formed in double: at position 100,000 a float has lost the turn's last digits.
void rope(const Launch& l, Worker& w) {
  const auto& op = std::get<Rope>(l.op);
  const Array &x = *l.in[0], &positions = *l.in[1], &frequencies = *l.in[2], &y = *l.out[0];
  int64_t heads = x.dims[1], d = x.dims[2], pairs = op.dims / 2;
  auto* turn = op.pairing == RopePairing::half ? l.k.rope_half : l.k.rope_interleaved;
  float* cos = reinterpret_cast<float*>(w.memory());
  float* sin = cos + pairs;
  w.split(x.dims[0], 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t i = 0; i < pairs; ++i) {
        double angle = static_cast<double>(positions.i32()[t]) * static_cast<double>(frequencies.f32()[i]);
        cos[i] = static_cast<float>(std::cos(angle) * op.scale);
        sin[i] = static_cast<float>(std::sin(angle) * op.scale);
      }
      for (int64_t h = 0; h < heads; ++h) turn(y.f32() + (t * heads + h) * d, x.f32() + (t * heads + h) * d, cos, sin, pairs, d);
    }
  });
}

std::string refuse_rope(const NodeView& node, const Target&) {
  if (std::get<Rope>(node.op).dims * 4 > kWorkerBytes) return "heads this large need more memory than a worker has";
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
void for_runs(const Array& cache, const int32_t* table, int64_t head, int64_t begin, int64_t end, Function&& f) {
  int64_t heads = cache.dims[1], page = cache.dims[2], bytes = row_bytes(cache.dtype, cache.dims[3]);
  for (int64_t j = begin; j < end;) {
    int64_t n = std::min(end - j, page - j % page), at = table[j / page];
    if (at < 0 || at >= cache.dims[0]) fail(ErrorKind::usage, "paged_attention", "page {} of a cache of {}", at, cache.dims[0]);
    f(j, cache.data + ((at * heads + head) * page + j % page) * bytes, n);
    j += n;
  }
}

// As f32 rows at to + (j - origin) * d.
void load_rows(const KernelTable& k, const Array& cache, const int32_t* table, int64_t head, int64_t begin, int64_t end, int64_t origin, float* to) {
  int64_t d = cache.dims[3];
  for_runs(cache, table, head, begin, end, [&](int64_t j, const std::byte* rows, int64_t n) {
    float* out = to + (j - origin) * d;
    switch (cache.dtype) {
      case Dtype::f32:
        std::memcpy(out, rows, static_cast<size_t>(n * d) * 4);
        break;
      case Dtype::f16:
        k.to_float[0](out, reinterpret_cast<const uint16_t*>(rows), n * d);
        break;
      case Dtype::bf16:
        k.to_float[1](out, reinterpret_cast<const uint16_t*>(rows), n * d);
        break;
      default:
        format(cache.dtype).unpack(rows, out, n * d);
    }
  });
}

// Asks for rows that are needed later. A page's rows of one head are a few KiB, too short for the processor to see a stream in them: in the
// step of a small model with 200 positions, attention took 27 % of the time without this and 21 % with it.
void ask_for_rows(const Array& cache, const int32_t* table, int64_t head, int64_t begin, int64_t end) {
  int64_t bytes = row_bytes(cache.dtype, cache.dims[3]);
  for_runs(cache, table, head, begin, end, [&](int64_t, const std::byte* rows, int64_t n) {
    for (int64_t i = 0; i < n * bytes; i += 64) __builtin_prefetch(rows + i, 0, 2);
  });
}

constexpr int64_t kMaxTokens = 8;  // neighbours of one sequence that share loaded keys and values

int64_t tokens_per_task(int64_t tokens, int64_t group, int workers, int64_t kv_heads) {
  if (tokens * kv_heads < 8 * workers) return 1;
  return std::clamp<int64_t>(64 / group, 1, kMaxTokens);
}

// Floats of worker memory that a task of `rows` query rows needs.
int64_t attention_floats(int64_t rows, int64_t d, int64_t dv) { return (kAttendChunk + rows) * (d + dv) + 2 * rows; }

// The rows of tokens first .. last (one sequence) and KV head `head`, chunk by chunk.
void attend_run(const Launch& l, Worker& w, int64_t first, int64_t last, int64_t head) {
  const auto& op = std::get<PagedAttention>(l.op);
  const Array &q = *l.in[0], &kc = *l.in[1], &vc = *l.in[2], &tables = *l.in[5], &y = *l.out[0];
  const int32_t *positions = l.in[3]->i32(), *seq = l.in[4]->i32();
  int64_t heads = q.dims[1], d = q.dims[2], dv = vc.dims[3], group = heads / kc.dims[1], tokens = last - first, rows = tokens * group;
  const int32_t* table = tables.i32() + seq[first] * tables.dims[1];

  auto* k = reinterpret_cast<float*>(w.memory());
  float* v = k + kAttendChunk * d;
  float* queries = v + kAttendChunk * dv;
  float* out = queries + rows * d;
  float* max = out + rows * dv;
  float* sum = max + rows;
  int begin[kMaxTokens * 64], end[kMaxTokens * 64];

  int64_t from = INT64_MAX, to = 0, row_from[kMaxTokens];
  for (int64_t t = 0; t < tokens; ++t) {
    int64_t p = positions[first + t];
    row_from[t] = op.window > 0 ? std::max<int64_t>(0, p - op.window + 1) : 0;
    from = std::min(from, row_from[t]), to = std::max(to, p + 1);
    for (int64_t g = 0; g < group; ++g) {
      int64_t r = t * group + g;
      l.k.binary[kMul](queries + r * d, q.f32() + ((first + t) * heads + head * group + g) * d, &op.scale, d, 1, 0);
      max[r] = -INFINITY, sum[r] = 0;
    }
  }
  std::fill(out, out + rows * dv, 0.0f);
  auto ask_for_chunk = [&](int64_t chunk) {
    int64_t chunk_from = std::max(chunk, from), chunk_to = std::min(chunk + kAttendChunk, to);
    ask_for_rows(kc, table, head, chunk_from, chunk_to);
    ask_for_rows(vc, table, head, chunk_from, chunk_to);
  };
  ask_for_chunk(from / kAttendChunk * kAttendChunk);
  for (int64_t chunk = from / kAttendChunk * kAttendChunk; chunk < to; chunk += kAttendChunk) {
    int64_t chunk_from = std::max(chunk, from), chunk_to = std::min(chunk + kAttendChunk, to);
    std::fill(k, k + (chunk_from - chunk) * d, 0.0f);
    ask_for_chunk(chunk + kAttendChunk);
    load_rows(l.k, kc, table, head, chunk_from, chunk_to, chunk, k);
    load_rows(l.k, vc, table, head, chunk_from, chunk_to, chunk, v);
    for (int64_t r = 0; r < rows; ++r) {
      begin[r] = static_cast<int>(std::clamp<int64_t>(row_from[r / group] - chunk, 0, kAttendChunk));
      end[r] = static_cast<int>(std::clamp<int64_t>(positions[first + r / group] + 1 - chunk, 0, kAttendChunk));
    }
    l.k.attend({.q = queries,
                .rows = static_cast<int>(rows),
                .d = d,
                .dv = dv,
                .k = k,
                .v = v,
                .positions = static_cast<int>(chunk_to - chunk),
                .begin = begin,
                .end = end,
                .softcap = op.softcap,
                .max = max,
                .sum = sum,
                .out = out});
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* to_row = y.f32() + ((first + r / group) * heads + head * group + r % group) * dv;
    l.k.binary[kDiv](to_row, out + r * dv, sum + r, dv, 1, 0);
  }
}

void paged_attention(const Launch& l, Worker& w) {
  const Array &q = *l.in[0], &kc = *l.in[1], &tables = *l.in[5];
  const int32_t *positions = l.in[3]->i32(), *seq = l.in[4]->i32();
  int64_t tokens = q.dims[0], kv_heads = kc.dims[1], group = q.dims[1] / kv_heads, capacity = tables.dims[1] * kc.dims[2];
  int64_t block = tokens_per_task(tokens, group, w.workers(), kv_heads), blocks = (tokens + block - 1) / block;
  // Late tokens see more: handing out the last first lets the small ones fill the gaps.
  w.split(blocks * kv_heads, 1, [&](int64_t task_begin, int64_t task_end) {
    for (int64_t task = task_begin; task < task_end; ++task) {
      int64_t b = blocks - 1 - task / kv_heads, head = task % kv_heads, stop = std::min(tokens, (b + 1) * block);
      for (int64_t first = b * block, last; first < stop; first = last) {
        for (last = first; last < stop && seq[last] == seq[first]; ++last)
          if (seq[last] < 0 || seq[last] >= tables.dims[0] || positions[last] < 0 || positions[last] >= capacity)
            fail(ErrorKind::usage, "paged_attention", "token {} names sequence {} and position {}, outside its block table", last, seq[last],
                 positions[last]);
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
  if (attention_floats(rows, k.dim(3).n, v.dim(3).n) * 4 > kWorkerBytes) return "heads this large need more memory than a worker has";
  return refuse_layouts(node);
}

constexpr CpuKernel kKernels[] = {
    {{.name = "rope", .op = op_index<Rope>(), .numerics = "f32", .refuse = refuse_rope}, rope},
    {{.name = "cache_append", .op = op_index<CacheAppend>(), .numerics = "exact", .refuse = refuse_cache_append}, cache_append},
    {{.name = "paged_attention", .op = op_index<PagedAttention>(), .numerics = "f32.chunk64", .refuse = refuse_attention}, paged_attention},
};

}  // namespace

std::span<const CpuKernel> attention_kernels() { return kKernels; }

}  // namespace motley::cpu
