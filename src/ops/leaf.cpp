// Values that exist before a step computes anything. Their types are stated where they are made, so they have no shape rule; the
// interpreter binds inputs and states by name.
#include "ops/def.h"
#include "ops/rules.h"

namespace motley {
namespace {

Cost nothing(const CostArgs&) { return {}; }

}  // namespace

template <>
OpDef define<Input>() {
  return {.cost = nothing};
}

template <>
OpDef define<State>() {
  return {.cost = nothing};
}

template <>
OpDef define<Const>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 0, "none");
        const auto& c = std::get<Const>(op);
        auto n = static_cast<size_t>(max_elements(c.shape));
        if (c.values.size() != n && c.values.size() != 1)
          fail(ErrorKind::usage, "const", "{} values cannot fill [{}]", c.values.size(), to_string(c.shape));
        return {{Dtype::f32, c.shape}};
      },
      .cost = nothing,
      .eval =
          [](EvalArgs& a) {
            const auto& values = std::get<Const>(a.op).values;
            for (size_t i = 0; i < a.out[0].data.size(); ++i) a.out[0].data[i] = values.size() == 1 ? values[0] : values[i];
          },
  };
}

}  // namespace motley
