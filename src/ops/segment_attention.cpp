// Attention within the sequences of a packed batch, as learning and encoders use it: every token's keys and values are there, no cache. Its
// gradient forms the probabilities anew from the scores and the logarithm of their sum, so nothing of size T x T is kept.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

void expect_rows(const Op& op, std::span<const Type> in) {
  const Type &q = in[0], &k = in[1], &v = in[2];
  expect_i32(op, in[3], 1, "positions");
  expect_i32(op, in[4], 1, "seq");
  auto heads = [](const Type& t) { return t.rank() == 3 && t.dtype == Dtype::f32; };
  bool fits = heads(q) && heads(k) && heads(v) && q.dim(2) == k.dim(2) && k.dim(1) == v.dim(1) && k.dim(1).n > 0 && q.dim(1).n % k.dim(1).n == 0;
  for (size_t i = 1; fits && i < 5; ++i) fits = in[i].dim(0) == q.dim(0);
  if (!fits)
    fail(ErrorKind::usage, op_name(op), "q {}, k {}, v {}, positions {} and seq {} do not fit together", to_string(q), to_string(k), to_string(v),
         to_string(in[3]), to_string(in[4]));
}

// The keys begin .. end that token t sees.
struct Seen {
  size_t begin = 0, end = 0;
};
template <class T>
std::vector<Seen> seen_by(const T& op, const RefValue& positions, const RefValue& seq) {
  size_t tokens = seq.data.size();
  std::vector<Seen> seen(tokens);
  for (size_t first = 0, last; first < tokens; first = last) {
    for (last = first + 1; last < tokens && seq.data[last] == seq.data[first]; ++last)
      if (seq.data[first] >= 0 && positions.data[last] <= positions.data[last - 1])
        fail(ErrorKind::usage, "attention", "positions rise within a sequence, but tokens {} and {} have {} and {}", last - 1, last,
             positions.data[last - 1], positions.data[last]);
    if (seq.data[first] < 0) continue;
    auto near = [&](size_t a, size_t b) { return op.window <= 0 || positions.data[a] - positions.data[b] < static_cast<double>(op.window); };
    for (size_t t = first; t < last; ++t) {
      Seen s{first, op.causal ? t + 1 : last};
      while (!near(t, s.begin)) ++s.begin;
      while (!near(s.end - 1, t)) --s.end;
      seen[t] = s;
    }
  }
  return seen;
}

// One head of one token: the rows it meets and their scores.
template <class T>
struct Row {
  const T& op;
  const RefValue &q, &k;
  size_t t, h;

  size_t dim() const { return static_cast<size_t>(q.shape[2]); }
  size_t heads() const { return static_cast<size_t>(q.shape[1]); }
  size_t kv_heads() const { return static_cast<size_t>(k.shape[1]); }
  size_t q_at() const { return (t * heads() + h) * dim(); }
  size_t kv_row(size_t j) const { return j * kv_heads() + h / (heads() / kv_heads()); }
  double score(size_t j) const {
    double dot = 0;
    for (size_t i = 0; i < dim(); ++i) dot += q.data[q_at() + i] * k.data[kv_row(j) * dim() + i];
    dot *= op.scale;
    return op.softcap > 0 ? op.softcap * std::tanh(dot / op.softcap) : dot;
  }
  double slope(double score) const { return op.scale * (op.softcap > 0 ? 1 - score * score / op.softcap / op.softcap : 1); }
};

template <class T>
Cost attention_cost(const CostArgs& a, double products) {
  Cost c;
  for (const Type& t : a.in) c.bytes_read += real_bytes(t, a.sizes);
  for (const Type& t : a.out) c.bytes_written += real_bytes(t, a.sizes);
  double seen = a.context;
  if (auto w = static_cast<double>(std::get<T>(a.op).window); w > 0) seen = std::min(seen, w);
  c.flops = products * real_elements(a.in[0], a.sizes) * seen;
  return c;
}

}  // namespace

template <>
OpDef define<Attention>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 5, "q, k, v, positions, seq");
        expect_rows(op, in);
        return {{Dtype::f32, {in[0].dim(0), in[0].dim(1), in[2].dim(2)}}, {Dtype::f32, {in[0].dim(0), in[0].dim(1)}}};
      },
      .cost = [](const CostArgs& a) { return attention_cost<Attention>(a, 4); },
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<Attention>(a.op);
            const RefValue &q = *a.in[0], &v = *a.in[2];
            auto heads = static_cast<size_t>(q.shape[1]), dim_v = static_cast<size_t>(v.shape[2]);
            auto seen = seen_by(op, *a.in[3], *a.in[4]);
            std::vector<double> score;
            for (size_t t = 0; t < seen.size(); ++t)
              for (size_t h = 0; h < heads && seen[t].begin < seen[t].end; ++h) {
                Row<Attention> row{op, q, *a.in[1], t, h};
                double top = -std::numeric_limits<double>::infinity(), total = 0;
                score.clear();
                for (size_t j = seen[t].begin; j < seen[t].end; ++j) top = std::max(top, score.emplace_back(row.score(j)));
                for (double& s : score) total += s = std::exp(s - top);
                double* y = a.out[0].data.data() + (t * heads + h) * dim_v;
                for (size_t j = seen[t].begin; j < seen[t].end; ++j)
                  for (size_t i = 0; i < dim_v; ++i) y[i] += score[j - seen[t].begin] / total * v.data[row.kv_row(j) * dim_v + i];
                a.out[1].data[t * heads + h] = top + std::log(total);
              }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_no_gradient(g, 1, "the logarithm of the scores' sum");
        const auto& op = std::get<Attention>(g.op);
        auto to = b.emit_all(AttentionGrad{op.scale, op.softcap, op.window, op.causal},
                             {g.in[0], g.in[1], g.in[2], g.in[3], g.in[4], g.out[0], g.out[1], g.grad[0]});
        return {to[0], to[1], to[2], {}, {}};
      },
      .precision = Precision::low,
  };
}

template <>
OpDef define<AttentionGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 8, "q, k, v, positions, seq, y, lse, dy");
        expect_rows(op, in);
        Dims y = {in[0].dim(0), in[0].dim(1), in[2].dim(2)};
        expect_f32(op, in[5], y, "y");
        expect_f32(op, in[6], {y[0], y[1]}, "lse");
        expect_f32(op, in[7], y, "dy");
        return {in[0], in[1], in[2]};
      },
      .cost = [](const CostArgs& a) { return attention_cost<AttentionGrad>(a, 10); },
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<AttentionGrad>(a.op);
            const RefValue &q = *a.in[0], &k = *a.in[1], &v = *a.in[2], &y = *a.in[5], &lse = *a.in[6], &dy = *a.in[7];
            auto heads = static_cast<size_t>(q.shape[1]), dim = static_cast<size_t>(q.shape[2]), dim_v = static_cast<size_t>(v.shape[2]);
            auto &dq = a.out[0].data, &dk = a.out[1].data, &dv = a.out[2].data;
            auto seen = seen_by(op, *a.in[3], *a.in[4]);
            for (size_t t = 0; t < seen.size(); ++t)
              for (size_t h = 0; h < heads && seen[t].begin < seen[t].end; ++h) {
                Row<AttentionGrad> row{op, q, k, t, h};
                const double* to_y = dy.data.data() + (t * heads + h) * dim_v;
                double mean = 0;  // of the gradient to the probabilities: sum of dy * y
                for (size_t i = 0; i < dim_v; ++i) mean += to_y[i] * y.data[(t * heads + h) * dim_v + i];
                for (size_t j = seen[t].begin; j < seen[t].end; ++j) {
                  size_t kv = row.kv_row(j);
                  double score = row.score(j), p = std::exp(score - lse.data[t * heads + h]), to_p = 0;
                  for (size_t i = 0; i < dim_v; ++i) {
                    to_p += to_y[i] * v.data[kv * dim_v + i];
                    dv[kv * dim_v + i] += p * to_y[i];
                  }
                  double to_dot = p * (to_p - mean) * row.slope(score);
                  for (size_t i = 0; i < dim; ++i) {
                    dq[row.q_at() + i] += to_dot * k.data[kv * dim + i];
                    dk[kv * dim + i] += to_dot * q.data[row.q_at() + i];
                  }
                }
              }
          },
      .no_gradient = "it is itself a gradient",
      .precision = Precision::low,
  };
}

}  // namespace motley
