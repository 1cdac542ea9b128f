#include "ops/def.h"

#include <array>
#include <utility>

#include "ir/text.h"
#include "ops/rules.h"

namespace motley {
namespace {

template <size_t... I>
std::array<OpDef, kNumOps> all_definitions(std::index_sequence<I...>) {
  return {define<std::variant_alternative_t<I, Op>>()...};
}

}  // namespace

const OpDef& def(const Op& op) {
  static const auto table = all_definitions(std::make_index_sequence<kNumOps>{});
  return table[op.index()];
}

Types infer_types(const Op& op, std::span<const Type> in) {
  const OpDef& d = def(op);
  if (!d.infer) fail(ErrorKind::usage, op_name(op), "has no inputs to infer its type from; its type is stated where it is made");
  return d.infer(op, in);
}

Cost cost_of(const CostArgs& args) {
  const OpDef& d = def(args.op);
  if (d.cost) return d.cost(args);
  Cost c;
  for (const Type& t : args.in) c.bytes_read += real_bytes(t, args.sizes);
  for (const Type& t : args.out) c.bytes_written += real_bytes(t, args.sizes), c.flops += real_elements(t, args.sizes);
  return c;
}

bool is_product(const Op& op) {
  return std::visit(
      []<class T>(const T&) {
        constexpr auto any_of = []<class... Of>() { return (std::is_same_v<T, Of> || ...); };
        return any_of.template operator()<Matmul, FusedMatmul, GluMatmul, ExpertMatmul, OuterSum, ExpertOuterSum, HeadLoss, PagedAttention, Attention,
                                          AttentionGrad, Gru, GruGrad, Lstm, LstmGrad>();
      },
      op);
}

}  // namespace motley
