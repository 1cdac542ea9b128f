// What gradient rules share.
//
//   .gradient = [](Builder& b, const GradientArgs& g) -> std::vector<Value> {
//     return {sum_to(b, b.mul(g.grad[0], g.in[1]), b.type(g.in[0])), ...};   // of x * y to x, which may have been broadcast
//   },
#pragma once
#include "ops/builder.h"
#include "ops/def.h"

namespace motley {

// The gradient summed over the axes along which a value of type `to` was broadcast. Only the shape of `to` matters.
Value sum_to(Builder& b, Value grad, const Type& to);

// All axes but the last as one: [..., N] -> [M, N]. Named sizes must be bound.
Value as_rows(Builder& b, Value x);

// Error(usage) "[op] ..." when the loss depends on a result that has no gradient.
void expect_no_gradient(const GradientArgs& args, size_t result, const char* what);

}  // namespace motley
