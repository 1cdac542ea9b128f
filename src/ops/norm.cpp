// Norms over the last axis. All composite: a device without a kernel runs the expansion.
#include "ir/text.h"
#include "ops/builder.h"
#include "ops/def.h"
#include "ops/rules.h"

namespace motley {
namespace {

void expect_vector(const Op& op, const Type& x, const Type& w, const char* what) {
  if (w.rank() != 1 || x.rank() < 1 || w.dim(0) != x.dim(-1))
    fail(ErrorKind::usage, op_name(op), "{} {} does not match the last axis of {}", what, to_string(w), to_string(x));
}

Value unit_rms(Builder& b, Value x, float eps) {
  Value mean_square = b.emit(Mean{-1}, {b.mul(x, x)});
  return b.mul(x, b.emit(Rsqrt{}, {b.add(mean_square, b.scalar(eps))}));
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
        Value w = b.as_f32(in[1]);
        if (n.offset != 0) w = b.add(w, b.scalar(n.offset));
        return {b.mul(unit_rms(b, in[0], n.eps), w)};
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
        Value unit = unit_rms(b, centred, std::get<LayerNorm>(op).eps);
        return {b.add(b.mul(unit, b.as_f32(in[1])), b.as_f32(in[2]))};
      },
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

}  // namespace motley
