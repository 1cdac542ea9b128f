// Norms over the last axis. All composite: a device without a kernel runs the expansion.
#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {
namespace {

void expect_vector(const Op& op, const Type& x, const Type& w, const char* what) {
  if (w.rank() != 1 || x.rank() < 1 || w.dim(0) != x.dim(-1))
    fail(ErrorKind::usage, op_name(op), "{} {} does not match the last axis of {}", what, to_string(w), to_string(x));
}

// x * r with r = 1 / sqrt(mean(x^2) + eps), and the gradient to x of a sum of dy times it: r (dy - unit * mean(dy * unit)).
struct UnitRms {
  Value r, unit;
};
UnitRms unit_rms(Builder& b, Value x, float eps) {
  Value r = b.emit(Rsqrt{}, {b.add(b.emit(Mean{-1}, {b.mul(x, x)}), b.scalar(eps))});
  return {r, b.mul(x, r)};
}
Value unit_rms_grad(Builder& b, const UnitRms& u, Value dy) { return b.mul(u.r, b.sub(dy, b.mul(u.unit, b.emit(Mean{-1}, {b.mul(dy, u.unit)})))); }

Value scale_of(Builder& b, Value w, float offset) {
  w = b.as_f32(w);
  return offset != 0 ? b.add(w, b.scalar(offset)) : w;
}

Cost norm_grad_cost(const CostArgs& a) {
  double x = real_bytes(a.in[0], a.sizes);
  return {2 * x, x, 10 * real_elements(a.in[0], a.sizes)};
}

}  // namespace

template <>
OpDef define<RmsNorm>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "x, w");
        expect_vector(op, in[0], in[1], "weight");
        return {in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& n = std::get<RmsNorm>(op);
        return {b.mul(unit_rms(b, in[0], n.eps).unit, scale_of(b, in[1], n.offset))};
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        const auto& n = std::get<RmsNorm>(g.op);
        return b.emit_all(RmsNormGrad{n.eps, n.offset}, {g.in[0], g.in[1], g.grad[0]});
      },
  };
}

template <>
OpDef define<LayerNorm>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w, b");
        expect_vector(op, in[0], in[1], "weight");
        expect_vector(op, in[0], in[2], "bias");
        return {in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        Value centred = b.sub(in[0], b.emit(Mean{-1}, {in[0]}));
        Value unit = unit_rms(b, centred, std::get<LayerNorm>(op).eps).unit;
        return {b.add(b.mul(unit, b.as_f32(in[1])), b.as_f32(in[2]))};
      },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
        return b.emit_all(LayerNormGrad{std::get<LayerNorm>(g.op).eps}, {g.in[0], g.in[1], g.grad[0]});
      },
  };
}

template <>
OpDef define<RmsNormGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w, dy");
        expect_vector(op, in[0], in[1], "weight");
        expect_f32(op, in[2], in[0].shape, "dy");
        return {in[0], {Dtype::f32, in[1].shape}};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& n = std::get<RmsNormGrad>(op);
        UnitRms u = unit_rms(b, in[0], n.eps);
        Value dx = unit_rms_grad(b, u, b.mul(in[2], scale_of(b, in[1], n.offset)));
        return {dx, sum_to(b, b.mul(in[2], u.unit), b.type(in[1]))};
      },
      .cost = norm_grad_cost,
  };
}

template <>
OpDef define<LayerNormGrad>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, w, dy");
        expect_vector(op, in[0], in[1], "weight");
        expect_f32(op, in[2], in[0].shape, "dy");
        return {in[0], {Dtype::f32, in[1].shape}, {Dtype::f32, in[1].shape}};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        UnitRms u = unit_rms(b, b.sub(in[0], b.emit(Mean{-1}, {in[0]})), std::get<LayerNormGrad>(op).eps);
        Value dx = unit_rms_grad(b, u, b.mul(in[2], b.as_f32(in[1])));
        dx = b.sub(dx, b.emit(Mean{-1}, {dx}));  // a mean was taken from x
        return {dx, sum_to(b, b.mul(in[2], u.unit), b.type(in[1])), sum_to(b, in[2], b.type(in[1]))};
      },
      .cost = norm_grad_cost,
  };
}

template <>
OpDef define<AddRmsNorm>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 3, "x, y, w");
        if (in[0] != in[1]) fail(ErrorKind::usage, "add_rms_norm", "{} and {} differ", to_string(in[0]), to_string(in[1]));
        expect_vector(op, in[0], in[2], "weight");
        return {in[0], in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        const auto& n = std::get<AddRmsNorm>(op);
        Value sum = b.add(in[0], in[1]);
        return {sum, b.rms_norm(sum, in[2], n.eps, n.offset)};
      },
  };
}

template <>
OpDef define<AddLayerNorm>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 4, "x, y, w, b");
        if (in[0] != in[1]) fail(ErrorKind::usage, "add_layer_norm", "{} and {} differ", to_string(in[0]), to_string(in[1]));
        expect_vector(op, in[0], in[2], "weight");
        expect_vector(op, in[0], in[3], "bias");
        return {in[0], in[0]};
      },
      .expand = [](Builder& b, const Op& op, std::span<const Value> in) -> std::vector<Value> {
        Value sum = b.add(in[0], in[1]);
        return {sum, b.layer_norm(sum, in[2], in[3], std::get<AddLayerNorm>(op).eps)};
      },
  };
}

}  // namespace motley
