// What the definitions of several op families share: shape rules with their error messages, and sizes of a type in one step.
#pragma once
#include <span>

#include "base/error.h"
#include "ir/op.h"
#include "ir/type.h"
#include "ops/def.h"

namespace motley {

// Error(usage) "[op] takes 2 inputs (x, w), got 3" unless there are `count`.
void expect_inputs(const Op& op, std::span<const Type> in, size_t count, const char* names);

// The axis counted from the front; Error(usage) when the type has no such axis.
size_t axis_of(const Op& op, const Type& t, int axis);

// NumPy broadcasting from the back. Named sizes match only themselves and 1.
Type broadcast(const Op& op, const Type& a, const Type& b);

// Error(usage) unless t is f32 with this shape; `what` names it.
void expect_f32(const Op& op, const Type& t, const Dims& shape, const char* what);
// Error(usage) unless t is i32 of so many axes.
void expect_i32(const Op& op, const Type& t, int rank, const char* what);

// Error(usage) unless t is a bias of `heads` heads by distance, f32 [H, 2N + 1].
void expect_bias(const Op& op, const Type& t, const Dim& heads);
// Where it is, of a head, for a key that stands so far behind its query.
size_t bias_index(const RefValue& bias, size_t head, double distance);

double real_elements(const Type& t, const Sizes& sizes);
double real_bytes(const Type& t, const Sizes& sizes);

}  // namespace motley
