// What a value looks like, not where it lives: a storage type and a shape whose sizes are numbers or one of three named sizes.
//
// T is the number of tokens in a step, S of sequences, R of rows whose logits are wanted. A named size carries its ceiling; the
// interpreter and the executor bind the real one.
//
//   Type x{Dtype::f32, {{512, Sym::T}, {64}}};   // prints f32[T<=512,64]
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/tensor.h"

namespace motley {

enum class Sym : char { none = 0, T = 'T', S = 'S', R = 'R' };

struct Dim {
  int64_t n = 0;  // the size, or the ceiling of a named size
  Sym sym = Sym::none;
  bool operator==(const Dim&) const = default;
};

using Dims = std::vector<Dim>;

struct Type {
  Dtype dtype = Dtype::f32;
  Dims shape;
  bool operator==(const Type&) const = default;
  int rank() const { return static_cast<int>(shape.size()); }
  const Dim& dim(int axis) const { return shape[static_cast<size_t>(axis < 0 ? axis + rank() : axis)]; }
};
using Types = std::vector<Type>;

// The real sizes of one step.
struct Sizes {
  int64_t T = 1, S = 1, R = 1;
  int64_t of(const Dim& d) const { return d.sym == Sym::T ? T : d.sym == Sym::S ? S : d.sym == Sym::R ? R : d.n; }
};

Dims fixed(const Shape& shape);  // dims without names
Shape bind(const Dims& dims, const Sizes& sizes);
int64_t max_elements(const Dims& dims);  // with every named size at its ceiling
int64_t max_bytes(const Type& type);
std::string to_string(const Dim& dim);    // "T<=512" or "64"
std::string to_string(const Dims& dims);  // "T<=512,64"
std::string to_string(const Type& type);  // "f32[T<=512,64]"
std::optional<Dim> parse_dim(std::string_view text);
std::optional<Dims> parse_dims(std::string_view text);
std::optional<Type> parse_type(std::string_view text);

}  // namespace motley
