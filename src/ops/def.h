// The definition of an op: everything that is true of it on any machine. One per op, written in ops/<family>.cpp as
//
//   template <> OpDef define<Softcap>() {
//     return {.infer = ..., .expand = ..., .cost = ...};
//   }
//
// The table is built from the closed list in ir/op.h, so an op without a definition does not link. Builder, verifier, reference
// interpreter, cost model and passes ask the definition; none of them holds a switch over ops.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace motley {

class Builder;

// A value of the reference interpreter: real sizes, elements in double whatever the storage type (integers exactly).
// `raw` keeps the stored bytes of a state, for ops whose meaning depends on the blocks themselves.
struct RefValue {
  Shape shape;
  std::vector<double> data;
  Tensor raw;
};

// What one execution reads, writes and computes, in bytes and floating point (or integer) operations. Data that stays in cache between
// steps is the planner's concern, not the op's.
struct Cost {
  double bytes_read = 0, bytes_written = 0, flops = 0;
};

struct CostArgs {
  const Op& op;
  std::span<const Type> in, out;
  Sizes sizes;
  double context = 0;  // mean number of positions a token attends to
};

struct EvalArgs {
  const Op& op;
  std::span<const Type> in_types, out_types;
  std::span<const RefValue* const> in;
  std::span<RefValue> out;  // shapes are set, data is zero
};

// What a gradient rule is asked. Values live in the builder's graph.
struct GradientArgs {
  const Op& op;
  std::span<const Value> in, out;
  std::span<const Value> grad;   // of each result, f32; not valid where the loss does not depend on it
  std::span<const char> wanted;  // by input: what is not wanted need not be formed
  bool wants(size_t i) const { return wanted[i] != 0; }
};

// How an op bears values of 16 bits between itself and its neighbours (passes/precision.h).
enum class Precision : uint8_t {
  low,      // multiplies such values and adds in f32: products, attention
  follows,  // as exact as what it reads: moves, sums of two, activations
  wide,     // f32 in and out: exponentials, sums over many, norms, losses, updates
};

struct OpDef {
  // Result types from input types; Error(usage) "[op] ..." when they do not fit together.
  Types (*infer)(const Op& op, std::span<const Type> in) = nullptr;
  // The op in simpler ones, one value per result; null for basic ops. Types of inputs are in the builder's graph.
  std::vector<Value> (*expand)(Builder& b, const Op& op, std::span<const Value> in) = nullptr;
  // Null: reads its inputs, writes its outputs, one operation per output element.
  Cost (*cost)(const CostArgs& args) = nullptr;
  // The reference in double; null where the expansion is the reference, and for leaves.
  void (*eval)(EvalArgs& args) = nullptr;
  // Gradients of the inputs, f32 whatever the input is stored as; not valid where there is none. Null: differentiated through the
  // expansion, or not at all.
  std::vector<Value> (*gradient)(Builder& b, const GradientArgs& args) = nullptr;
  // The form of the op whose further results are the gradients of its first one to the inputs that are wanted, formed on the way; the gradient
  // rule then only scales them. Null: gradients are ops of their own.
  Op (*learning)(const Op& op, std::span<const char> wanted) = nullptr;
  const char* no_gradient = nullptr;  // why a gradient cannot be, as the end of a sentence
  Precision precision = Precision::wide;
  // The first inputs so many are states, and the first results their successors, in place on a device.
  size_t changes = 0;
};

template <class T>
OpDef define();

const OpDef& def(const Op& op);
Cost cost_of(const CostArgs& args);
// Products of matrices, attention and recurrences: what a step's arithmetic is counted by.
bool is_product(const Op& op);

// infer with the number of inputs checked by the definition itself; the op's name is put before the message.
Types infer_types(const Op& op, std::span<const Type> in);

}  // namespace motley
