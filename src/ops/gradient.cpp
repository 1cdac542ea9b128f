#include "ops/gradient.h"

#include "base/error.h"
#include "ir/text.h"

namespace motley {

Value sum_to(Builder& b, Value grad, const Type& to) {
  const Type from = b.type(grad);
  for (int axis = 0, added = from.rank() - to.rank(); axis < from.rank(); ++axis) {
    const Dim& d = from.dim(axis);
    if (d != Dim{1} && (axis < added || to.dim(axis - added) != d)) grad = b.sum(grad, axis);
  }
  return b.type(grad).shape == to.shape ? grad : b.reshape(grad, to.shape);
}

Value as_rows(Builder& b, Value x) {
  const Type& t = b.type(x);
  if (t.rank() == 2) return x;
  int64_t rows = 1;
  for (int axis = 0; axis < t.rank() - 1; ++axis) rows *= t.dim(axis).n;
  return b.reshape(x, {{rows}, t.dim(-1)});
}

void expect_no_gradient(const GradientArgs& args, size_t result, const char* what) {
  if (args.grad[result].valid()) fail(ErrorKind::usage, op_name(args.op), "{} has no gradient, and the loss depends on it", what);
}

}  // namespace motley
