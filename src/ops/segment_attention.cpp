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

// What Attention takes before what its fields add, and AttentionGrad as well.
constexpr size_t kInputs = 5, kGradInputs = 8;

template <class T>
size_t extra_inputs(const T& op) {
  return (op.bias ? 1 : 0) + (op.memory ? 1 : 0);
}

// extra: the index of the bias or of the memory's seq.
template <class T>
void expect_rows(const Op& any, std::span<const Type> in, size_t extra) {
  const auto& op = std::get<T>(any);
  const Type &q = in[0], &k = in[1], &v = in[2];
  expect_i32(any, in[3], 1, "positions");
  expect_i32(any, in[4], 1, "seq");
  if (op.memory) expect_i32(any, in[extra], 1, "the memory's seq");
  if (op.memory && (op.causal || op.window > 0 || op.bias))
    fail(ErrorKind::usage, op_name(any), "tokens see a memory whole: it goes with no order, window or bias");
  auto heads = [](const Type& t) { return t.rank() == 3 && t.dtype == Dtype::f32; };
  bool fits = heads(q) && heads(k) && heads(v) && q.dim(2) == k.dim(2) && k.dim(1) == v.dim(1) && k.dim(1).n > 0 && q.dim(1).n % k.dim(1).n == 0;
  const Dim keys = op.memory ? in[extra].dim(0) : q.dim(0);
  fits = fits && k.dim(0) == keys && v.dim(0) == keys && in[3].dim(0) == q.dim(0) && in[4].dim(0) == q.dim(0);
  if (!fits)
    fail(ErrorKind::usage, op_name(any), "q {}, k {}, v {}, positions {} and seq {} do not fit together", to_string(q), to_string(k), to_string(v),
         to_string(in[3]), to_string(in[4]));
  if (op.bias) {
    expect_bias(any, in[extra], q.dim(1));
    if (op.softcap > 0) fail(ErrorKind::usage, op_name(any), "scores have a bias or a soft cap, not both");
  }
}

// The keys begin .. end that token t sees.
struct Seen {
  size_t begin = 0, end = 0;
};

// The run of the memory that has a sequence's number.
Seen run_of(const RefValue& memory_seq, double seq) {
  Seen run;
  while (run.begin < memory_seq.data.size() && memory_seq.data[run.begin] != seq) ++run.begin;
  for (run.end = run.begin; run.end < memory_seq.data.size() && memory_seq.data[run.end] == seq;) ++run.end;
  return run;
}

template <class T>
std::vector<Seen> seen_by(const T& op, const EvalArgs& a, size_t extra) {
  const RefValue &positions = *a.in[3], &seq = *a.in[4];
  size_t tokens = seq.data.size();
  std::vector<Seen> seen(tokens);
  for (size_t t = 0; op.memory && t < tokens; ++t)
    if (seq.data[t] >= 0) seen[t] = run_of(*a.in[extra], seq.data[t]);
  if (op.memory) return seen;
  for (size_t first = 0, last; first < tokens; first = last) {
    for (last = first + 1; last < tokens && seq.data[last] == seq.data[first]; ++last)
      if (seq.data[first] >= 0 && positions.data[last] <= positions.data[last - 1])
        fail(ErrorKind::usage, "attention", "positions rise within a sequence, but tokens {} and {} have {} and {}", last - 1, last,
             positions.data[last - 1], positions.data[last]);
    if (seq.data[first] < 0) continue;
    auto near = [&](size_t late, size_t early) {
      return op.window <= 0 || positions.data[late] - positions.data[early] < static_cast<double>(op.window);
    };
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
  const RefValue &positions, *bias;  // null: none
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
    if (bias) return dot + bias->data[bias_at(j)];
    return op.softcap > 0 ? op.softcap * std::tanh(dot / op.softcap) : dot;
  }
  size_t bias_at(size_t j) const { return bias_index(*bias, h, positions.data[j] - positions.data[t]); }
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
        expect_inputs(op, in, kInputs + extra_inputs(std::get<Attention>(op)), "q, k, v, positions, seq, then the bias or the memory's seq");
        expect_rows<Attention>(op, in, kInputs);
        return {{Dtype::f32, {in[0].dim(0), in[0].dim(1), in[2].dim(2)}}, {Dtype::f32, {in[0].dim(0), in[0].dim(1)}}};
      },
      .cost = [](const CostArgs& a) { return attention_cost<Attention>(a, 4); },
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<Attention>(a.op);
            const RefValue &q = *a.in[0], &v = *a.in[2];
            auto heads = static_cast<size_t>(q.shape[1]), dim_v = static_cast<size_t>(v.shape[2]);
            auto seen = seen_by(op, a, kInputs);
            std::vector<double> score;
            for (size_t t = 0; t < seen.size(); ++t)
              for (size_t h = 0; h < heads && seen[t].begin < seen[t].end; ++h) {
                Row<Attention> row{op, q, *a.in[1], *a.in[3], op.bias ? a.in[kInputs] : nullptr, t, h};
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
        std::vector<Value> in(g.in.begin(), g.in.begin() + kInputs);
        in.insert(in.end(), {g.out[0], g.out[1], g.grad[0]});
        in.insert(in.end(), g.in.begin() + kInputs, g.in.end());
        auto to = b.emit_all(AttentionGrad{op.scale, op.softcap, op.window, op.causal, op.bias, op.memory}, in);
        std::vector<Value> gradients = {to[0], to[1], to[2], {}, {}};
        if (op.bias) gradients.push_back(to[3]);
        if (op.memory) gradients.emplace_back();
        return gradients;
      },
      .precision = Precision::low,
  };
}

template <>
OpDef define<AttentionGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        const auto& grad = std::get<AttentionGrad>(op);
        expect_inputs(op, in, kGradInputs + extra_inputs(grad), "q, k, v, positions, seq, y, lse, dy, then the bias or the memory's seq");
        expect_rows<AttentionGrad>(op, in, kGradInputs);
        Dims y = {in[0].dim(0), in[0].dim(1), in[2].dim(2)};
        expect_f32(op, in[5], y, "y");
        expect_f32(op, in[6], {y[0], y[1]}, "lse");
        expect_f32(op, in[7], y, "dy");
        Types out = {in[0], in[1], in[2]};
        if (grad.bias) out.push_back(in[kGradInputs]);
        return out;
      },
      .cost = [](const CostArgs& a) { return attention_cost<AttentionGrad>(a, 10); },
      .eval =
          [](EvalArgs& a) {
            const auto& op = std::get<AttentionGrad>(a.op);
            const RefValue &q = *a.in[0], &k = *a.in[1], &v = *a.in[2], &y = *a.in[5], &lse = *a.in[6], &dy = *a.in[7];
            auto heads = static_cast<size_t>(q.shape[1]), dim = static_cast<size_t>(q.shape[2]), dim_v = static_cast<size_t>(v.shape[2]);
            auto &dq = a.out[0].data, &dk = a.out[1].data, &dv = a.out[2].data;
            auto seen = seen_by(op, a, kGradInputs);
            for (size_t t = 0; t < seen.size(); ++t)
              for (size_t h = 0; h < heads && seen[t].begin < seen[t].end; ++h) {
                Row<AttentionGrad> row{op, q, k, *a.in[3], op.bias ? a.in[kGradInputs] : nullptr, t, h};
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
                  double to_score = p * (to_p - mean), to_dot = to_score * row.slope(score);
                  if (op.bias) a.out[3].data[row.bias_at(j)] += to_score;
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
