// Products of activations with weights of any storage format, and what fuse makes of them.
//
// With activation f32 the reference multiplies the dequantised weight in double. With q8_32 it quantises each row of x first and forms
// the same integer dot products as every device (quant/activation.h), so a quantised product has one meaning everywhere.
#include <algorithm>

#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/rules.h"
#include "quant/activation.h"
#include "quant/format.h"

namespace motley {
namespace {

void expect_format(const Op& op, const Type& w, bool transpose, ActivationFormat activation) {
  // Read as [K, N] a quantised weight only passes gradients back, through its values as floats.
  if (is_quantised(w.dtype) && ((!transpose && activation != ActivationFormat::f32) || w.dim(-1).n % info(w.dtype).block != 0))
    fail(ErrorKind::usage, op_name(op), "a weight in {} must be [N, K] with K a multiple of {}, got {}", name(w.dtype), info(w.dtype).block,
         to_string(w));
  if (activation != ActivationFormat::f32 && !is_quantised(w.dtype))
    fail(ErrorKind::usage, op_name(op), "quantised activations need a quantised weight, got {}", to_string(w));
}

// x [..., K] times w gives [..., N].
Type product_type(const Op& op, const Type& x, const Type& w, bool transpose, ActivationFormat activation) {
  if (w.rank() != 2 || x.rank() < 1 || x.dtype != Dtype::f32 || x.dim(-1) != w.dim(transpose ? 1 : 0))
    fail(ErrorKind::usage, op_name(op), "cannot multiply {} by weight {}{}", to_string(x), to_string(w), transpose ? " transposed" : "");
  expect_format(op, w, transpose, activation);
  Type out = x;
  out.shape.back() = w.dim(transpose ? 0 : 1);
  return out;
}

// One row of x times rows of w [N, K] (n0 is the first row: an expert's offset).
class RowProduct {
 public:
  RowProduct(const RefValue& w, Dtype dtype, int64_t k, ActivationFormat activation) : w_(w), dtype_(dtype), k_(k), activation_(activation) {}

  void set(const double* x) {
    x_ = x;
    if (activation_ == ActivationFormat::q8_32) {
      std::vector<float> row(x, x + k_);
      quantised_ = quantise_activations(row);
    }
  }
  double times(int64_t row) const {
    if (activation_ == ActivationFormat::q8_32) return format(dtype_).dot(w_.raw.bytes() + row * row_bytes(dtype_, k_), quantised_.view(), k_);
    double sum = 0;
    const double* w = w_.data.data() + row * k_;
    for (int64_t i = 0; i < k_; ++i) sum += x_[i] * w[i];
    return sum;
  }

 private:
  const RefValue& w_;
  Dtype dtype_;
  int64_t k_;
  ActivationFormat activation_;
  const double* x_ = nullptr;
  QuantisedRow quantised_;
};

void expect_learnable(const GradientArgs& g, Builder& b) {
  if (g.wants(1) && is_quantised(b.type(g.in[1]).dtype))
    fail(ErrorKind::usage, op_name(g.op), "a weight in {} is not learned: its values are fixed steps; learn what is added to it",
         name(b.type(g.in[1]).dtype));
}

Cost product_cost(const CostArgs& a, size_t num_weights) {
  Cost c;
  for (const Type& t : a.in) c.bytes_read += real_bytes(t, a.sizes);
  for (const Type& t : a.out) c.bytes_written += real_bytes(t, a.sizes);
  double rows = real_elements(a.in[0], a.sizes) / static_cast<double>(a.in[0].dim(-1).n);
  for (size_t i = 1; i <= num_weights; ++i) c.flops += 2 * rows * real_elements(a.in[i], a.sizes);
  return c;
}

}  // namespace

template <>
OpDef define<Matmul>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "x, w");
        const auto& m = std::get<Matmul>(op);
        return {product_type(op, in[0], in[1], m.transpose_w, m.activation)};
      },
      .cost = [](const CostArgs& a) { return product_cost(a, 1); },
      .eval =
          [](EvalArgs& a) {
            const auto& m = std::get<Matmul>(a.op);
            int64_t k = a.in[0]->shape.back(), n = a.out[0].shape.back(), rows = k ? static_cast<int64_t>(a.in[0]->data.size()) / k : 0;
            if (!m.transpose_w) {
              for (int64_t r = 0; r < rows; ++r)
                for (int64_t i = 0; i < k; ++i) {
                  double x = a.in[0]->data[static_cast<size_t>(r * k + i)];
                  const double* w = a.in[1]->data.data() + i * n;
                  double* y = a.out[0].data.data() + r * n;
                  for (int64_t j = 0; j < n; ++j) y[j] += x * w[j];
                }
              return;
            }
            RowProduct product(*a.in[1], a.in_types[1].dtype, k, m.activation);
            for (int64_t r = 0; r < rows; ++r) {
              product.set(a.in[0]->data.data() + r * k);
              for (int64_t j = 0; j < n; ++j) a.out[0].data[static_cast<size_t>(r * n + j)] = product.times(j);
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_learnable(g, b);
        bool transposed = std::get<Matmul>(g.op).transpose_w;
        Value x = g.in[0], w = g.in[1], dy = g.grad[0];
        return {g.wants(0) ? b.matmul(dy, w, !transposed) : Value{},
                g.wants(1) ? (transposed ? b.emit(OuterSum{}, {dy, x}) : b.emit(OuterSum{}, {x, dy})) : Value{}};
      },
      .precision = Precision::low,
  };
}

template <>
OpDef define<ExpertMatmul>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w, ids");
        const Type &x = in[0], &w = in[1], &ids = in[2];
        bool fits = w.rank() == 3 && ids.rank() == 2 && ids.dtype == Dtype::i32 && (x.rank() == 2 || (x.rank() == 3 && x.dim(1) == ids.dim(1))) &&
                    x.dim(0) == ids.dim(0) && x.dim(-1) == w.dim(2) && x.dtype == Dtype::f32;
        if (!fits)
          fail(ErrorKind::usage, op_name(op), "takes x [T, K] or [T, k, K], w [E, N, K] and ids i32 [T, k], got {}, {} and {}", to_string(x),
               to_string(w), to_string(ids));
        expect_format(op, w, true, std::get<ExpertMatmul>(op).activation);
        return {{Dtype::f32, {ids.dim(0), ids.dim(1), w.dim(1)}}};
      },
      .cost = [](const CostArgs& a) -> Cost {
        // Each expert that some row chose is read once: at most all of them, at most one per chosen row.
        double chosen = real_elements(a.in[2], a.sizes), experts = static_cast<double>(a.in[1].dim(0).n), share = std::min(1.0, chosen / experts);
        double matrix = static_cast<double>(a.in[1].dim(1).n * a.in[1].dim(2).n);
        return {real_bytes(a.in[0], a.sizes) + share * real_bytes(a.in[1], a.sizes), real_bytes(a.out[0], a.sizes), 2 * chosen * matrix};
      },
      .eval =
          [](EvalArgs& a) {
            int64_t k = a.in[0]->shape.back(), n = a.out[0].shape.back(), per_token = a.in[2]->shape[1], rows = a.in[2]->shape[0] * per_token;
            bool shared_row = a.in[0]->shape.size() == 2;
            RowProduct product(*a.in[1], a.in_types[1].dtype, k, std::get<ExpertMatmul>(a.op).activation);
            for (int64_t r = 0; r < rows; ++r) {
              auto expert = static_cast<int64_t>(a.in[2]->data[static_cast<size_t>(r)]);
              if (expert < 0 || expert >= a.in[1]->shape[0]) fail(ErrorKind::usage, "expert_matmul", "expert {} of {}", expert, a.in[1]->shape[0]);
              product.set(a.in[0]->data.data() + (shared_row ? r / per_token : r) * k);
              for (int64_t j = 0; j < n; ++j) a.out[0].data[static_cast<size_t>(r * n + j)] = product.times(expert * n + j);
            }
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        expect_learnable(g, b);
        Value x = g.in[0], w = g.in[1], ids = g.in[2], dy = g.grad[0], dx;
        if (g.wants(0) && is_quantised(b.type(w).dtype))
          fail(ErrorKind::usage, op_name(g.op), "no gradient passes back through experts in {}; tune with the experts in f16 or f32",
               name(b.type(w).dtype));
        if (g.wants(0)) {
          const Type x_type = b.type(x);
          dx = b.expert_matmul(dy, b.transpose(w, {0, 2, 1}), ids);  // [T, k, K]
          if (x_type.rank() == 2) dx = b.reshape(b.sum(dx, 1), x_type.shape);
        }
        return {dx, g.wants(1) ? b.emit(ExpertOuterSum{b.type(w).dim(0).n}, {dy, x, ids}) : Value{}, {}};
      },
      .precision = Precision::low,
  };
}

template <>
OpDef define<OuterSum>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        if (in.size() != 3) expect_inputs(op, in, 2, "a, b");
        const Type &a = in[0], &b = in[1];
        bool fits = a.rank() >= 1 && a.rank() == b.rank() && a.dtype == Dtype::f32 && b.dtype == Dtype::f32;
        for (int i = 0; fits && i < a.rank() - 1; ++i) fits = a.dim(i) == b.dim(i);
        if (!fits)
          fail(ErrorKind::usage, op_name(op), "takes a [..., N] and b [..., K] with the same rows, got {} and {}", to_string(a), to_string(b));
        const Type out{Dtype::f32, {a.dim(-1), b.dim(-1)}};
        if (in.size() == 3 && in[2] != out) fail(ErrorKind::usage, op_name(op), "cannot add to {} a sum {}", to_string(in[2]), to_string(out));
        return {out};
      },
      .cost = [](const CostArgs& a) -> Cost {
        double read = 0;
        for (const Type& t : a.in) read += real_bytes(t, a.sizes);
        return {read, real_bytes(a.out[0], a.sizes), 2 * real_elements(a.in[0], a.sizes) * static_cast<double>(a.in[1].dim(-1).n)};
      },
      .eval =
          [](EvalArgs& a) {
            auto n = static_cast<size_t>(a.out[0].shape[0]), k = static_cast<size_t>(a.out[0].shape[1]);
            if (a.in.size() == 3) a.out[0].data = a.in[2]->data;
            for (size_t r = 0; r < a.in[0]->data.size() / n; ++r)
              for (size_t i = 0; i < n; ++i)
                for (size_t j = 0; j < k; ++j) a.out[0].data[i * k + j] += a.in[0]->data[r * n + i] * a.in[1]->data[r * k + j];
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        std::vector<Value> to = {b.matmul(g.in[1], g.grad[0]), b.matmul(g.in[0], g.grad[0], false)};
        if (g.in.size() == 3) to.push_back(g.grad[0]);
        return to;
      },
      .precision = Precision::low,
  };
}

template <>
OpDef define<ExpertOuterSum>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "a, b, ids");
        const Type &a = in[0], &b = in[1], &ids = in[2];
        int64_t experts = std::get<ExpertOuterSum>(op).experts;
        bool fits = a.rank() == 3 && (b.rank() == 2 || (b.rank() == 3 && b.dim(1) == a.dim(1))) && a.dim(0) == b.dim(0) &&
                    ids == Type{Dtype::i32, {a.dim(0), a.dim(1)}} && a.dtype == Dtype::f32 && b.dtype == Dtype::f32 && experts > 0;
        if (!fits)
          fail(ErrorKind::usage, op_name(op), "takes a [T, k, N], b [T, K] or [T, k, K] and ids i32 [T, k], got {}, {} and {}", to_string(a),
               to_string(b), to_string(ids));
        return {{Dtype::f32, {{experts}, a.dim(-1), b.dim(-1)}}};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes) + real_bytes(a.in[1], a.sizes), real_bytes(a.out[0], a.sizes),
                2 * real_elements(a.in[0], a.sizes) * static_cast<double>(a.in[1].dim(-1).n)};
      },
      .eval =
          [](EvalArgs& a) {
            auto experts = a.out[0].shape[0];
            auto n = static_cast<size_t>(a.out[0].shape[1]), k = static_cast<size_t>(a.out[0].shape[2]);
            size_t rows = a.in[2]->data.size(), share = a.in[1]->shape.size() == 2 ? static_cast<size_t>(a.in[2]->shape[1]) : 1;
            for (size_t r = 0; r < rows; ++r) {
              auto expert = static_cast<int64_t>(a.in[2]->data[r]);
              if (expert < 0 || expert >= experts) fail(ErrorKind::usage, "expert_outer_sum", "expert {} of {}", expert, experts);
              double* out = a.out[0].data.data() + static_cast<size_t>(expert) * n * k;
              for (size_t i = 0; i < n; ++i)
                for (size_t j = 0; j < k; ++j) out[i * k + j] += a.in[0]->data[r * n + i] * a.in[1]->data[r / share * k + j];
            }
          },
      .no_gradient = "it is itself a gradient",
      .precision = Precision::low,
  };
}

template <>
OpDef define<FusedMatmul>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        const auto& m = std::get<FusedMatmul>(op);
        if (m.slope && m.finish == Finish::none)
          fail(ErrorKind::usage, op_name(op), "slope says that finish's derivative is meant, and there is no finish");
        if (m.slope && m.keep) fail(ErrorKind::usage, op_name(op), "slope is of values that were kept; it keeps none");
        const size_t wanted = 2 + (m.bias ? 1 : 0) + (m.slope ? 1 : 0) + (m.residual ? 1 : 0);
        if (in.size() != wanted) fail(ErrorKind::usage, op_name(op), "with these fields it takes {} inputs, got {}", wanted, in.size());
        const Type out = product_type(op, in[0], in[1], m.transpose_w, m.activation);
        for (size_t i = 2; i < in.size(); ++i) {
          const Type fits = m.bias && i == 2 ? Type{Dtype::f32, {out.dim(-1)}} : out;
          if (in[i] != fits) fail(ErrorKind::usage, op_name(op), "input {} should be {}, not {}", i, to_string(fits), to_string(in[i]));
        }
        return m.keep ? Types{out, out} : Types{out};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& m = std::get<FusedMatmul>(op);
        size_t next = 2;
        Value z = b.emit(Matmul{m.transpose_w, m.activation}, {in[0], in[1]});
        if (m.scale != 1) z = b.mul(z, b.scalar(m.scale));
        if (m.bias) z = b.add(z, in[next++]);
        Value y = z;
        if (m.slope)
          y = b.emit(ActGrad{activation_of(m.finish)}, {in[next++], z});
        else if (m.finish != Finish::none)
          y = b.act(activation_of(m.finish), z);
        if (m.residual) y = b.add(y, in[next++]);
        return m.keep ? std::vector<Value>{z, y} : std::vector<Value>{y};
      },
      .cost = [](const CostArgs& a) { return product_cost(a, 1); },
      .precision = Precision::low,
  };
}

template <>
OpDef define<GluMatmul>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w_gate, w_up");
        const auto& m = std::get<GluMatmul>(op);
        Type gate = product_type(op, in[0], in[1], true, m.activation), up = product_type(op, in[0], in[2], true, m.activation);
        if (gate != up) fail(ErrorKind::usage, op_name(op), "gate {} and up {} differ", to_string(in[1]), to_string(in[2]));
        return {gate};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& m = std::get<GluMatmul>(op);
        Value gate = b.emit(Matmul{true, m.activation}, {in[0], in[1]}), up = b.emit(Matmul{true, m.activation}, {in[0], in[2]});
        return {b.glu(m.kind, gate, up)};
      },
      .cost = [](const CostArgs& a) { return product_cost(a, 2); },
      .precision = Precision::low,
  };
}

}  // namespace motley
