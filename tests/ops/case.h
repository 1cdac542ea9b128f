// The questions of the op exam. A case is an op with inputs whose every element is a function of its index, so that a case with 7 rows
// holds exactly the first 7 rows of the case with 64; and a bound for the error of each result, derived from norms and the format's
// epsilon, never tuned.
//
//   for (const Case& c : exam_cases(Depth::brief)) ...
//
// Inputs whose first axis is Sym::T have one row per token; the exam runs a case with several T and compares rows bit by bit.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ops/def.h"
#include "tensor/tensor.h"

namespace motley::exam {

// An element's value by its index; rows are counted from the first row of the whole case. The same key means the same values: weights in
// a K format take long to pack, and many cases share them. No key: made anew each time.
struct Values {
  template <class F>
  Values(F f) : at(std::move(f)) {}
  Values(std::string name, std::function<double(int64_t)> f) : key(std::move(name)), at(std::move(f)) {}
  double operator()(int64_t index) const { return at(index); }
  std::string key;
  std::function<double(int64_t)> at;
};

struct CaseInput {
  Type type;
  Values value;
  bool per_row() const { return !type.shape.empty() && type.shape[0].sym == Sym::T; }
};

// What a bound may look at: reference values of the inputs and of the results.
struct Checked {
  std::vector<const RefValue*> in;
  std::vector<const RefValue*> out;
};
// The largest permissible error of each element of result `result`; 0 asks for the same value.
using Bound = std::function<std::vector<double>(const Checked& c, size_t result)>;

struct Case {
  std::string name;  // "matmul q4_k 64x100x768"
  Op op;
  std::vector<CaseInput> in;
  Bound bound;
  int64_t rows = 0;  // the largest T; 0: no row axis, the case runs once
};

enum class Depth { brief, full };
std::vector<Case> exam_cases(Depth depth);

// ---- for writing cases
constexpr double kEps = 0x1p-24;  // half a unit in the last place of a float at 1: the relative error of one rounding

Values normal(uint64_t stream, double scale = 1, double mean = 0);
Values uniform_int(uint64_t stream, int64_t n);  // 0 .. n - 1
// Of an element by its index; `f` is asked once for each.
template <class F>
std::vector<double> each(const Checked& c, size_t result, F&& f) {
  std::vector<double> bounds(c.out[result]->data.size());
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = f(static_cast<int64_t>(i));
  return bounds;
}

// Over rows of `width` elements: Euclidean length, sum of magnitudes, largest magnitude.
std::vector<double> row_norms(const RefValue& v, int64_t width);
std::vector<double> row_sums(const RefValue& v, int64_t width);
std::vector<double> row_peaks(const RefValue& v, int64_t width);

Bound exact();
Bound relative(double roundings, double floor = 0);  // roundings * eps * |y| + floor
Bound of_peak(double roundings);                     // roundings * eps * the largest of the result: for sums whose terms cancel

Type rows_of(int64_t t, std::vector<int64_t> dims, Dtype dtype = Dtype::f32);  // [T <= t, dims...]
Type plain(std::vector<int64_t> dims, Dtype dtype = Dtype::f32);

void add_elementwise(std::vector<Case>& cases, Depth depth);
void add_shape(std::vector<Case>& cases, Depth depth);
void add_rows(std::vector<Case>& cases, Depth depth);
void add_products(std::vector<Case>& cases, Depth depth);
void add_attention(std::vector<Case>& cases, Depth depth);
void add_learning(std::vector<Case>& cases, Depth depth);

}  // namespace motley::exam
