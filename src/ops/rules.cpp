#include "ops/rules.h"

#include <algorithm>

#include "ir/text.h"

namespace motley {

void expect_inputs(const Op& op, std::span<const Type> in, size_t count, const char* names) {
  if (in.size() != count) fail(ErrorKind::usage, op_name(op), "takes {} inputs ({}), got {}", count, names, in.size());
}

size_t axis_of(const Op& op, const Type& t, int axis) {
  int front = axis < 0 ? axis + t.rank() : axis;
  if (front < 0 || front >= t.rank()) fail(ErrorKind::usage, op_name(op), "axis {} does not exist in {}", axis, to_string(t));
  return static_cast<size_t>(front);
}

Type broadcast(const Op& op, const Type& a, const Type& b) {
  if (a.shape.size() < b.shape.size()) return broadcast(op, b, a);
  if (a.dtype != b.dtype) fail(ErrorKind::usage, op_name(op), "inputs differ in type: {} and {}", to_string(a), to_string(b));
  Type out = a;
  for (size_t i = 1; i <= b.shape.size(); ++i) {
    Dim x = a.shape[a.shape.size() - i], y = b.shape[b.shape.size() - i];
    if (x == y || y == Dim{1}) continue;
    if (x != Dim{1}) fail(ErrorKind::usage, op_name(op), "cannot broadcast {} with {}", to_string(a), to_string(b));
    out.shape[a.shape.size() - i] = y;
  }
  return out;
}

void expect_f32(const Op& op, const Type& t, const Dims& shape, const char* what) {
  if (t != Type{Dtype::f32, shape}) fail(ErrorKind::usage, op_name(op), "{} should be f32[{}], got {}", what, to_string(shape), to_string(t));
}

void expect_i32(const Op& op, const Type& t, int rank, const char* what) {
  if (t.dtype != Dtype::i32 || t.rank() != rank) fail(ErrorKind::usage, op_name(op), "{} should be i32 of rank {}, got {}", what, rank, to_string(t));
}

void expect_bias(const Op& op, const Type& t, const Dim& heads) {
  if (t.dtype != Dtype::f32 || t.rank() != 2 || t.dim(0) != heads || t.dim(1).n % 2 == 0)
    fail(ErrorKind::usage, op_name(op), "the bias should be f32[{}, 2N + 1], got {}", to_string(heads), to_string(t));
}

size_t bias_index(const RefValue& bias, size_t head, double distance) {
  const auto reach = static_cast<double>(bias.shape[1] / 2);
  return head * static_cast<size_t>(bias.shape[1]) + static_cast<size_t>(reach + std::clamp(distance, -reach, reach));
}

double real_elements(const Type& t, const Sizes& sizes) {
  double n = 1;
  for (const Dim& d : t.shape) n *= static_cast<double>(sizes.of(d));
  return n;
}

double real_bytes(const Type& t, const Sizes& sizes) {
  return real_elements(t, sizes) / static_cast<double>(info(t.dtype).block) * static_cast<double>(info(t.dtype).block_bytes);
}

}  // namespace motley
