// A tensor in another storage type, rows shared among the threads of a pool, and what that lost.
//
//   Loss loss;
//   Tensor q = repack(weight, Dtype::q4_k, pool, loss);
//   double rms = loss.rms();
#pragma once
#include <cmath>
#include <cstdint>

#include "base/thread_pool.h"
#include "tensor/tensor.h"

namespace motley {

// Sums over elements. The same numbers for any number of threads.
struct Loss {
  int64_t elements = 0;
  double error2 = 0, value2 = 0;  // squares of new - old, of old
  int64_t not_finite = 0;         // NaN or infinity before
  int64_t overflowed = 0;         // infinity only afterwards

  double rms() const { return elements > 0 ? std::sqrt(error2 / static_cast<double>(elements)) : 0; }
  double relative() const { return value2 > 0 ? std::sqrt(error2 / value2) : 0; }
  void add(const Loss& other);
};

// The tensor itself where the type is the same. Rows are whole blocks of `to` (Recipe::type_of sees to it). Adds to loss.
Tensor repack(const Tensor& from, Dtype to, ThreadPool& pool, Loss& loss);

}  // namespace motley
