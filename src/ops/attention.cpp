// Rotary positions, the paged KV cache, and attention over it. The reference reads pages through the block tables as a kernel does, so a
// wrong table shows in both.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/rules.h"
#include "quant/format.h"

namespace motley {
namespace {

// What is left of a row of numbers after it was stored in `dtype` and read back.
void store(Dtype dtype, std::span<double> row) {
  std::vector<float> values(row.begin(), row.end());
  std::vector<std::byte> bytes(static_cast<size_t>(row_bytes(dtype, static_cast<int64_t>(row.size()))));
  format(dtype).pack(values.data(), bytes.data(), static_cast<int64_t>(row.size()));
  format(dtype).unpack(bytes.data(), values.data(), static_cast<int64_t>(row.size()));
  std::ranges::copy(values, row.begin());
}

}  // namespace

template <>
OpDef define<Rope>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, positions, frequencies");
        const auto& r = std::get<Rope>(op);
        expect_i32(op, in[1], 1, "positions");
        if (in[0].rank() != 3 || in[0].dtype != Dtype::f32 || in[0].dim(0) != in[1].dim(0))
          fail(ErrorKind::usage, "rope", "takes x f32 [T, H, D] and positions [T], got {} and {}", to_string(in[0]), to_string(in[1]));
        if (r.dims <= 0 || r.dims % 2 || r.dims > in[0].dim(2).n || in[2] != Type{Dtype::f32, {{r.dims / 2}}})
          fail(ErrorKind::usage, "rope", "dims must be even, at most {}, with dims / 2 frequencies; got dims {} and {}", in[0].dim(2).n, r.dims,
               to_string(in[2]));
        return {in[0]};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes), real_bytes(a.out[0], a.sizes), 3 * real_elements(a.in[0], a.sizes)};
      },
      .eval =
          [](EvalArgs& a) {
            const auto& r = std::get<Rope>(a.op);
            auto heads = static_cast<size_t>(a.in[0]->shape[1]), dim = static_cast<size_t>(a.in[0]->shape[2]), half = static_cast<size_t>(r.dims / 2);
            a.out[0].data = a.in[0]->data;
            for (size_t row = 0; row < static_cast<size_t>(a.in[0]->shape[0]) * heads; ++row) {
              double position = a.in[1]->data[row / heads];
              const double* x = a.in[0]->data.data() + row * dim;
              double* y = a.out[0].data.data() + row * dim;
              for (size_t i = 0; i < half; ++i) {
                size_t first = r.pairing == RopePairing::half ? i : 2 * i, second = r.pairing == RopePairing::half ? i + half : 2 * i + 1;
                double angle = position * a.in[2]->data[i], c = std::cos(angle) * r.scale, s = std::sin(angle) * r.scale;
                y[first] = x[first] * c - x[second] * s;
                y[second] = x[first] * s + x[second] * c;
              }
            }
          },
      // Turned back: by the same angles with the other sign.
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        return {b.emit(g.op, {g.grad[0], g.in[1], b.emit(Neg{}, {g.in[2]})}), {}, {}};
      },
      .precision = Precision::follows,
  };
}

template <>
OpDef define<CacheAppend>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "cache, rows, slots");
        expect_i32(op, in[2], 1, "slots");
        if (in[0].rank() != 4 || in[1].rank() != 3 || in[0].dim(1) != in[1].dim(1) || in[0].dim(3) != in[1].dim(2) || in[1].dim(0) != in[2].dim(0))
          fail(ErrorKind::usage, "cache_append", "cache [pages, Hkv, page, D], rows [T, Hkv, D] and slots [T] do not fit: {}, {}, {}",
               to_string(in[0]), to_string(in[1]), to_string(in[2]));
        if (in[0].dim(3).n % info(in[0].dtype).block != 0)
          fail(ErrorKind::usage, "cache_append", "a cache of type {} needs heads of a multiple of {} elements, these have {}; use another --kv-type",
               name(in[0].dtype), info(in[0].dtype).block, in[0].dim(3).n);
        return {in[0]};
      },
      .cost = [](const CostArgs& a) -> Cost {
        double rows = real_elements(a.in[1], a.sizes);
        return {rows * 4, rows / static_cast<double>(info(a.in[0].dtype).block) * static_cast<double>(info(a.in[0].dtype).block_bytes), 0};
      },
      .eval =
          [](EvalArgs& a) {
            a.out[0].data = a.in[0]->data;
            const Shape& cache = a.in[0]->shape;
            auto heads = static_cast<size_t>(cache[1]), page = static_cast<size_t>(cache[2]), dim = static_cast<size_t>(cache[3]);
            for (size_t t = 0; t < static_cast<size_t>(a.in[1]->shape[0]); ++t) {
              auto slot = static_cast<int64_t>(a.in[2]->data[t]);
              if (slot < 0 || slot >= cache[0] * cache[2])
                fail(ErrorKind::usage, "cache_append", "slot {} of a cache of {}", slot, cache[0] * cache[2]);
              for (size_t h = 0; h < heads; ++h) {
                double* to = a.out[0].data.data() + ((static_cast<size_t>(slot) / page * heads + h) * page + static_cast<size_t>(slot) % page) * dim;
                std::copy_n(a.in[1]->data.data() + (t * heads + h) * dim, dim, to);
                store(a.in_types[0].dtype, {to, dim});
              }
            }
          },
      .no_gradient = "a cache is for generating; learn with attention over the batch",
      .changes = 1,
  };
}

template <>
OpDef define<PagedAttention>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        const bool bias = std::get<PagedAttention>(op).bias;
        expect_inputs(op, in, bias ? 7 : 6, "q, k cache, v cache, positions, seq, tables, then the bias");
        expect_i32(op, in[3], 1, "positions");
        expect_i32(op, in[4], 1, "seq");
        expect_i32(op, in[5], 2, "tables");
        const Type &q = in[0], &k = in[1], &v = in[2];
        bool fits = q.rank() == 3 && k.rank() == 4 && v.rank() == 4 && q.dim(2) == k.dim(3) && k.dim(1).n > 0 && q.dim(1).n % k.dim(1).n == 0 &&
                    k.dim(0) == v.dim(0) && k.dim(1) == v.dim(1) && k.dim(2) == v.dim(2) && in[3].dim(0) == q.dim(0) && in[4].dim(0) == q.dim(0);
        if (!fits) fail(ErrorKind::usage, "paged_attention", "q {}, k {} and v {} do not fit together", to_string(q), to_string(k), to_string(v));
        if (bias) expect_bias(op, in[6], q.dim(1));
        if (bias && std::get<PagedAttention>(op).softcap > 0) fail(ErrorKind::usage, "paged_attention", "scores have a bias or a soft cap, not both");
        return {{Dtype::f32, {q.dim(0), q.dim(1), v.dim(3)}}};
      },
      .cost = [](const CostArgs& a) -> Cost {
        double tokens = static_cast<double>(a.sizes.of(a.in[0].dim(0))), heads = static_cast<double>(a.in[0].dim(1).n),
               kv_heads = static_cast<double>(a.in[1].dim(1).n);
        double dims = static_cast<double>(a.in[1].dim(3).n + a.in[2].dim(3).n), seen = a.context;
        if (auto w = static_cast<double>(std::get<PagedAttention>(a.op).window); w > 0) seen = std::min(seen, w);
        auto bytes = [&](const Type& t) { return static_cast<double>(info(t.dtype).block_bytes) / static_cast<double>(info(t.dtype).block); };
        double positions = std::max(1.0, static_cast<double>(a.sizes.S)) * seen;  // each sequence's past is read once
        return {real_bytes(a.in[0], a.sizes) +
                    positions * kv_heads *
                        (static_cast<double>(a.in[1].dim(3).n) * bytes(a.in[1]) + static_cast<double>(a.in[2].dim(3).n) * bytes(a.in[2])),
                real_bytes(a.out[0], a.sizes), 2 * tokens * heads * dims * seen};
      },
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<PagedAttention>(a.op);
            const RefValue &q = *a.in[0], &k = *a.in[1], &v = *a.in[2], &tables = *a.in[5];
            auto heads = static_cast<size_t>(q.shape[1]), kv_heads = static_cast<size_t>(k.shape[1]), page = static_cast<size_t>(k.shape[2]);
            auto dim = static_cast<size_t>(k.shape[3]), dim_v = static_cast<size_t>(v.shape[3]), blocks = static_cast<size_t>(tables.shape[1]);
            std::vector<double> score;
            for (size_t t = 0; t < static_cast<size_t>(q.shape[0]); ++t) {
              auto position = static_cast<int64_t>(a.in[3]->data[t]), seq = static_cast<int64_t>(a.in[4]->data[t]);
              if (seq < 0 || seq >= tables.shape[0] || position < 0 || static_cast<size_t>(position) / page >= blocks)
                fail(ErrorKind::usage, "paged_attention", "token {} names sequence {} and position {}, outside its block table", t, seq, position);
              size_t first = op.window > 0 ? static_cast<size_t>(std::max<int64_t>(0, position - op.window + 1)) : 0,
                     last = static_cast<size_t>(position);
              auto row = [&](const RefValue& cache, size_t j, size_t h, size_t d) {
                auto at = static_cast<int64_t>(tables.data[static_cast<size_t>(seq) * blocks + j / page]);
                if (at < 0 || at >= cache.shape[0]) fail(ErrorKind::usage, "paged_attention", "page {} of a cache of {}", at, cache.shape[0]);
                return cache.data.data() + ((static_cast<size_t>(at) * kv_heads + h) * page + j % page) * d;
              };
              for (size_t h = 0; h < heads; ++h) {
                size_t kv = h / (heads / kv_heads);
                const double* query = q.data.data() + (t * heads + h) * dim;
                score.assign(last - first + 1, 0);
                double top = -std::numeric_limits<double>::infinity(), total = 0;
                for (size_t j = first; j <= last; ++j) {
                  const double* key = row(k, j, kv, dim);
                  double dot = 0;
                  for (size_t i = 0; i < dim; ++i) dot += query[i] * key[i];
                  dot *= op.scale;
                  if (op.softcap > 0) dot = op.softcap * std::tanh(dot / op.softcap);
                  if (op.bias) dot += a.in[6]->data[bias_index(*a.in[6], h, static_cast<double>(j) - static_cast<double>(position))];
                  top = std::max(top, score[j - first] = dot);
                }
                for (double& s : score) total += s = std::exp(s - top);
                double* out = a.out[0].data.data() + (t * heads + h) * dim_v;
                for (size_t j = first; j <= last; ++j) {
                  const double* value = row(v, j, kv, dim_v);
                  for (size_t i = 0; i < dim_v; ++i) out[i] += score[j - first] / total * value[i];
                }
              }
            }
          },
      .no_gradient = "the keys and values in a cache are not differentiated; learn with attention over the batch",
  };
}

}  // namespace motley
