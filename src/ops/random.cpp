// What depends on chance: a function of (seed, step, node, global element), so recomputation and any split of a batch draw the same.
#include "base/random.h"

#include "ops/builder.h"
#include "ops/def.h"
#include "ops/gradient.h"
#include "ops/rules.h"

namespace motley {

template <>
OpDef define<Dropout>() {
  return {
      .infer = [](const Op& op, std::span<const Type> in) -> Types {
        expect_inputs(op, in, 2, "x, key");
        const auto& d = std::get<Dropout>(op);
        if (in[0].rank() < 1 || in[0].dtype != Dtype::f32 || in[1] != Type{Dtype::i32, {{4}}})
          fail(ErrorKind::usage, "dropout", "takes x f32 [N, ...] and key i32 [4], got {} and {}", to_string(in[0]), to_string(in[1]));
        if (!(d.rate >= 0 && d.rate < 1) || d.stream < 0 || d.stream > UINT32_MAX)
          fail(ErrorKind::usage, "dropout", "the rate is at least 0 and below 1, the stream a 32-bit number; got {} and {}", d.rate, d.stream);
        return {in[0]};
      },
      .cost = [](const CostArgs& a) -> Cost {
        return {real_bytes(a.in[0], a.sizes), real_bytes(a.out[0], a.sizes), 20 * real_elements(a.in[0], a.sizes)};
      },
      .eval =
          [](EvalArgs& a) {
            const auto& d = std::get<Dropout>(a.op);
            const auto& x = a.in[0]->data;
            auto word = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint32_t>(static_cast<int64_t>(a.in[1]->data[i]))); };
            uint64_t seed = word(0) | word(1) << 32, stream = word(2) << 32 | static_cast<uint64_t>(d.stream);
            uint64_t first = a.in[0]->shape[0] ? word(3) * (x.size() / static_cast<uint64_t>(a.in[0]->shape[0])) : 0;
            double scale = 1 / (1 - static_cast<double>(d.rate));
            for (size_t i = 0; i < x.size(); ++i) a.out[0].data[i] = philox_uniform(seed, stream, first + i) < d.rate ? 0 : x[i] * scale;
          },
      .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {  // the same mask
        return {b.emit(g.op, {g.grad[0], g.in[1]}), {}};
      },
      .precision = Precision::follows,
  };
}

}  // namespace motley
