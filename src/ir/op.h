// The closed list of ops. An op is a plain struct of typed attributes, its fields listed once; the text form, hashing, comparison and
// fuzzing follow from that list. What an op *means* (shape rule, expansion, cost, reference) is said in ops/<family>.cpp.
//
// Axes are counted from the back when negative. "Composite" ops have an expansion in simpler ones (ops/), so a backend may lack them.
//
//   Op op = RmsNorm{.eps = 1e-5f};
//   if (auto* n = std::get_if<RmsNorm>(&op)) ...
#pragma once
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "ir/op_fields.h"
#include "ir/op_learn.h"
#include "ir/type.h"
#include "quant/activation_format.h"

namespace motley {

// The spelling of an enumeration in text forms: see op.cpp.
enum class RopePairing : uint8_t {
  half,         // element i turns with i + d/2 (Hugging Face)
  interleaved,  // element 2i turns with 2i + 1 (llama-family GGUF)
};

// ---- leaves
struct Input {  // given anew each step: tokens, positions, tables; learning rate, seed
  MOTLEY_FIELDS()
};
struct State {  // lives between steps under the node's name: weights, KV pages, moments and running statistics
  MOTLEY_FIELDS()
};
struct Const {  // small tables known when the graph is built (rope frequencies, scalars); one value fills the shape
  Dims shape;
  std::vector<float> values;
  MOTLEY_FIELDS(MOTLEY_F(Const, shape), MOTLEY_F(Const, values))
};

// ---- elementwise; two inputs broadcast from the back as in NumPy
struct Add {
  MOTLEY_FIELDS()
};
struct Sub {
  MOTLEY_FIELDS()
};
struct Mul {
  MOTLEY_FIELDS()
};
struct Div {
  MOTLEY_FIELDS()
};
struct Maximum {
  MOTLEY_FIELDS()
};
struct Less {  // 1 where x < y, else 0
  MOTLEY_FIELDS()
};
struct Neg {
  MOTLEY_FIELDS()
};
struct Exp {
  MOTLEY_FIELDS()
};
struct Log {
  MOTLEY_FIELDS()
};
struct Sqrt {
  MOTLEY_FIELDS()
};
struct Rsqrt {
  MOTLEY_FIELDS()
};
struct Tanh {
  MOTLEY_FIELDS()
};
struct Erf {
  MOTLEY_FIELDS()
};
struct Sigmoid {
  MOTLEY_FIELDS()
};
struct Cast {
  Dtype dtype = Dtype::f32;
  MOTLEY_FIELDS(MOTLEY_F(Cast, dtype))
};
struct Act {  // composite: silu, gelu, ...
  Activation kind = Activation::silu;
  MOTLEY_FIELDS(MOTLEY_F(Act, kind))
};
struct Glu {  // composite: (gate, up) -> act(gate) * up
  Activation kind = Activation::silu;
  MOTLEY_FIELDS(MOTLEY_F(Glu, kind))
};
struct Softcap {  // composite: cap * tanh(x / cap)
  float cap = 1;
  MOTLEY_FIELDS(MOTLEY_F(Softcap, cap))
};

// ---- shape
struct Reshape {
  Dims shape;
  MOTLEY_FIELDS(MOTLEY_F(Reshape, shape))
};
struct Transpose {  // result axis i is input axis perm[i]
  std::vector<int64_t> perm;
  MOTLEY_FIELDS(MOTLEY_F(Transpose, perm))
};
struct Slice {  // elements begin .. begin + size of one axis
  int axis = -1;
  int64_t begin = 0, size = 0;
  MOTLEY_FIELDS(MOTLEY_F(Slice, axis), MOTLEY_F(Slice, begin), MOTLEY_F(Slice, size))
};
struct Concat {
  int axis = -1;
  MOTLEY_FIELDS(MOTLEY_F(Concat, axis))
};
struct Pad {  // zeros around one axis: what slice took away
  int axis = -1;
  int64_t before = 0, after = 0;
  MOTLEY_FIELDS(MOTLEY_F(Pad, axis), MOTLEY_F(Pad, before), MOTLEY_F(Pad, after))
};
struct Broadcast {  // x repeated along axes of size 1, and along new ones in front
  Dims shape;
  MOTLEY_FIELDS(MOTLEY_F(Broadcast, shape))
};
struct Gather {  // (table [N, ...] of any format, ids i32 [M]) -> f32 [M, ...]
  MOTLEY_FIELDS()
};

// ---- reductions; the axis stays with size 1
struct Sum {
  int axis = -1;
  MOTLEY_FIELDS(MOTLEY_F(Sum, axis))
};
struct Mean {
  int axis = -1;
  MOTLEY_FIELDS(MOTLEY_F(Mean, axis))
};
struct ReduceMax {  // NaN where there is one
  int axis = -1;
  MOTLEY_FIELDS(MOTLEY_F(ReduceMax, axis))
};
struct Softmax {  // composite; a row of -inf alone gives zeros, not NaN
  int axis = -1;
  MOTLEY_FIELDS(MOTLEY_F(Softmax, axis))
};
struct TopK {  // x [..., N] -> values f32 [..., k] descending, indices i32 [..., k]; ties: the lower index first
  int64_t k = 1;
  MOTLEY_FIELDS(MOTLEY_F(TopK, k))
};

// ---- norms (composite), over the last axis
struct RmsNorm {  // (x, w): x / sqrt(mean(x^2) + eps) * (offset + w). Zhang & Sennrich 2019; Gemma stores w - 1, hence offset 1
  float eps = 1e-6f, offset = 0;
  MOTLEY_FIELDS(MOTLEY_F(RmsNorm, eps), MOTLEY_F(RmsNorm, offset))
};
struct LayerNorm {  // (x, w, b). Ba et al. 2016
  float eps = 1e-5f;
  MOTLEY_FIELDS(MOTLEY_F(LayerNorm, eps))
};

// ---- products
struct Matmul {  // (x [..., K], w) -> f32 [..., N]; w is [N, K] as checkpoints store it, or [K, N] when not transpose_w. Any weight format
  bool transpose_w = true;
  ActivationFormat activation = ActivationFormat::f32;
  MOTLEY_FIELDS(MOTLEY_F(Matmul, transpose_w), MOTLEY_F(Matmul, activation))
};
struct OuterSum {  // (a [..., N], b [..., K]) -> f32 [N, K]: the sum over rows of a' b, the gradient of a product to its weight; (a, b, c): + c
  MOTLEY_FIELDS()
};
struct ExpertMatmul {  // (x [T, K] or [T, k, K], w [E, N, K], ids i32 [T, k]) -> f32 [T, k, N]: row (t, j) meets expert ids[t, j]
  ActivationFormat activation = ActivationFormat::f32;
  MOTLEY_FIELDS(MOTLEY_F(ExpertMatmul, activation))
};

struct ExpertOuterSum {  // (a [T, k, N], b [T, K] or [T, k, K], ids i32 [T, k]) -> f32 [E, N, K]: each row (t, j) adds to expert ids[t, j]
  int64_t experts = 1;
  MOTLEY_FIELDS(MOTLEY_F(ExpertOuterSum, experts))
};

// ---- attention
struct Rope {  // (x [T, H, D], positions i32 [T], frequencies f32 [dims/2]): turns the first dims of each head. Su et al. 2021
  RopePairing pairing = RopePairing::half;
  int64_t dims = 0;
  float scale = 1;  // multiplies cos and sin (YaRN, longrope)
  MOTLEY_FIELDS(MOTLEY_F(Rope, pairing), MOTLEY_F(Rope, dims), MOTLEY_F(Rope, scale))
};
struct CacheAppend {  // (cache [pages, Hkv, page, D], rows f32 [T, Hkv, D], slots i32 [T]) -> the cache's successor; slot = page index * page +
                      // offset
  MOTLEY_FIELDS()
};
// (q f32 [T, H, D], k cache, v cache [pages, Hkv, page, Dv], positions i32 [T], seq i32 [T], tables i32 [S, blocks]) -> f32 [T, H, Dv].
// Token t sees positions max(0, p - window + 1) .. p of its sequence (window 0: all), p = positions[t]; position j lies in page
// tables[seq[t], j / page]. Scores are softcap(q.k * scale) when softcap > 0. Tokens of one sequence are neighbours, in order of position. With
// `bias` one more input f32 [H, 2N + 1] is added to the scores, by how far a key stands behind its query: bias[h, N + clamp(j - p, -N, N)];
// it goes with no softcap.
struct PagedAttention {
  float scale = 1, softcap = 0;
  int64_t window = 0;
  bool bias = false;
  MOTLEY_FIELDS(MOTLEY_F(PagedAttention, scale), MOTLEY_F(PagedAttention, softcap), MOTLEY_F(PagedAttention, window), MOTLEY_F(PagedAttention, bias))
};

// ---- what fuse makes (composite)
struct AddRmsNorm {  // (x, y, w) -> x + y, rms_norm(x + y, w)
  float eps = 1e-6f, offset = 0;
  MOTLEY_FIELDS(MOTLEY_F(AddRmsNorm, eps), MOTLEY_F(AddRmsNorm, offset))
};
struct AddLayerNorm {  // (x, y, w, b) -> x + y, layer_norm(x + y, w, b)
  float eps = 1e-5f;
  MOTLEY_FIELDS(MOTLEY_F(AddLayerNorm, eps))
};
// A product with what follows it, done to each part of the result before it is written: (x, w), then in this order, each where its field asks
// for it, bias f32 [N], u and residual, both of the result's shape:
//
//   z = scale * matmul(x, w) + bias
//   y = finish(z) + residual, or with `slope` z finish'(u) + residual    -> y; with `keep`, which learning asks for, z and then y
struct FusedMatmul {
  bool transpose_w = true;
  ActivationFormat activation = ActivationFormat::f32;
  float scale = 1;
  bool bias = false;
  Finish finish = Finish::none;
  bool slope = false, residual = false, keep = false;
  MOTLEY_FIELDS(MOTLEY_F(FusedMatmul, transpose_w), MOTLEY_F(FusedMatmul, activation), MOTLEY_F(FusedMatmul, scale), MOTLEY_F(FusedMatmul, bias),
                MOTLEY_F(FusedMatmul, finish), MOTLEY_F(FusedMatmul, slope), MOTLEY_F(FusedMatmul, residual), MOTLEY_F(FusedMatmul, keep))
};
struct GluMatmul {  // (x, w_gate [N, K], w_up [N, K]) -> act(x w_gate') * (x w_up')
  Activation kind = Activation::silu;
  ActivationFormat activation = ActivationFormat::f32;
  MOTLEY_FIELDS(MOTLEY_F(GluMatmul, kind), MOTLEY_F(GluMatmul, activation))
};

// Every table indexed by op is checked against this list by the compiler.
using Op =
    std::variant<Input, State, Const, Add, Sub, Mul, Div, Maximum, Less, Neg, Exp, Log, Sqrt, Rsqrt, Tanh, Erf, Sigmoid, Cast, Act, Glu, Softcap,
                 Reshape, Transpose, Slice, Concat, Pad, Broadcast, Gather, Sum, Mean, ReduceMax, Softmax, TopK, RmsNorm, LayerNorm, Matmul, OuterSum,
                 ExpertMatmul, ExpertOuterSum, Rope, CacheAppend, PagedAttention, AddRmsNorm, AddLayerNorm, FusedMatmul, GluMatmul,
                 // op_learn.h
                 ActGrad, ScatterAdd, ScatterLast, RmsNormGrad, LayerNormGrad, Attention, AttentionGrad, CrossEntropy, CrossEntropyGrad, HeadLoss,
                 BinaryCrossEntropy, MeanSquaredError, KlDivergence, Dropout, Unfold, Fold, Conv1d, Pool, BatchNorm, BatchNormFixed, Gru, GruGrad,
                 Lstm, LstmGrad, SquareSum, Assign, Adamw, Sgd, SgdMomentum, Lion, Adafactor, AdafactorVector>;

// The place of T in the list: the key of kernel tables.
template <class T>
constexpr size_t op_index() {
  return []<class... Ops>(const std::variant<Ops...>*) {
    size_t at = 0, i = 0;
    ((std::is_same_v<T, Ops> ? at = i++ : i++), ...);
    return at;
  }(static_cast<const Op*>(nullptr));
}
constexpr size_t kNumOps = std::variant_size_v<Op>;

// The attributes as text, in order, for printing and hashing; and back. parse_field returns false for an unknown name or a bad value.
std::vector<std::pair<std::string, std::string>> fields(const Op& op);
bool parse_field(Op& op, std::string_view field, std::string_view value);

bool operator==(const Op& a, const Op& b);

}  // namespace motley
