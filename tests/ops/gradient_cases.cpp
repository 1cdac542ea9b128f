#include <cmath>

#include "base/random.h"
#include "gradient_case.h"

namespace motley::exam {
namespace {

class Cases {
 public:
  std::vector<GradientCase> all;

  Cases& begin(Op op) {
    all.push_back({std::move(op), {}, {}});
    return *this;
  }
  // Normal values, moved away from zero by `away` and to `mean`.
  Cases& f32(const Shape& shape, double scale = 1, double mean = 0) {
    RefValue v{shape, {}, {}};
    uint64_t stream = 100 + all.size() * 16 + all.back().in.size();
    for (int64_t i = 0; i < num_elements(shape); ++i)
      v.data.push_back(mean + scale * static_cast<double>(philox_normal(3, stream, static_cast<uint64_t>(i))));
    return push({Dtype::f32, fixed(shape)}, std::move(v));
  }
  Cases& positive(const Shape& shape) {
    f32(shape);
    for (double& x : all.back().values.back().data) x = std::fabs(x) + 0.2;
    return *this;
  }
  Cases& i32(const Shape& shape, std::vector<double> data) { return push({Dtype::i32, fixed(shape)}, {shape, std::move(data), {}}); }
  Cases& given(std::set<size_t> inputs) {
    all.back().given = std::move(inputs);
    return *this;
  }
  Cases& without(std::set<size_t> results) {
    all.back().without_gradient = std::move(results);
    return *this;
  }

 private:
  Cases& push(Type type, RefValue value) {
    all.back().in.push_back(std::move(type));
    all.back().values.push_back(std::move(value));
    return *this;
  }
};

void add_elementwise(Cases& c) {
  for (Op op : {Op{Add{}}, Op{Sub{}}, Op{Mul{}}, Op{Maximum{}}, Op{Less{}}}) {
    c.begin(op).f32({3, 4}).f32({3, 4});
    c.begin(op).f32({2, 3, 4}).f32({4});
    c.begin(op).f32({1}).f32({3, 1, 2});
    c.begin(op).f32({3, 1}).f32({2, 1, 4});
  }
  c.begin(Div{}).f32({2, 3}).positive({2, 3});
  c.begin(Div{}).f32({2, 3}).positive({2, 1});
  for (Op op : {Op{Neg{}}, Op{Exp{}}, Op{Tanh{}}, Op{Erf{}}, Op{Sigmoid{}}, Op{Softcap{1.5f}}}) c.begin(op).f32({3, 5}, 1.3);
  for (Op op : {Op{Log{}}, Op{Sqrt{}}, Op{Rsqrt{}}}) c.begin(op).positive({3, 5});
  for (Activation kind : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
    c.begin(Act{kind}).f32({3, 7}, 1.5);
    c.begin(Glu{kind}).f32({3, 7}, 1.5).f32({3, 7});
    c.begin(ActGrad{kind}).f32({3, 7}, 1.5).f32({3, 7});
  }
  c.begin(Dropout{0.3f, 5}).f32({6, 5}).i32({4}, {7, 0, 3, 10});
}

void add_moves(Cases& c) {
  c.begin(Reshape{fixed({6, 2})}).f32({3, 4});
  c.begin(Transpose{{2, 0, 1}}).f32({2, 3, 4});
  c.begin(Slice{1, 1, 2}).f32({2, 4, 3});
  c.begin(Concat{-1}).f32({2, 3}).f32({2, 1}).f32({2, 2});
  c.begin(Pad{0, 2, 1}).f32({2, 3});
  c.begin(Broadcast{fixed({4, 2, 3})}).f32({2, 1});
  c.begin(Gather{}).f32({5, 3}).i32({4}, {1, 4, 1, 0});
  c.begin(ScatterAdd{5}).f32({4, 3}).i32({4}, {1, 4, 1, 0});
  c.begin(ScatterAdd{5}).f32({4, 3}).i32({4}, {1, 4, 1, 0}).f32({5, 3});
  for (int axis : {0, 1, -1}) {
    c.begin(Sum{axis}).f32({3, 4, 2});
    c.begin(Mean{axis}).f32({3, 4, 2});
    c.begin(ReduceMax{axis}).f32({3, 4, 2});
    c.begin(Softmax{axis}).f32({3, 4, 2});
  }
  c.begin(TopK{2}).f32({3, 6}).without({1});
  c.begin(SquareSum{}).f32({3, 4});
}

void add_norms_and_products(Cases& c) {
  c.begin(RmsNorm{1e-5f, 0}).f32({3, 6}).f32({6}, 0.3, 1);
  c.begin(RmsNorm{1e-5f, 1}).f32({2, 2, 5}).f32({5}, 0.3);
  c.begin(LayerNorm{1e-5f}).f32({3, 6}).f32({6}, 0.3, 1).f32({6});
  c.begin(RmsNormGrad{1e-5f, 1}).f32({3, 6}).f32({6}, 0.3).f32({3, 6});
  c.begin(LayerNormGrad{1e-5f}).f32({3, 6}).f32({6}, 0.3, 1).f32({3, 6});
  c.begin(AddRmsNorm{1e-5f, 0}).f32({3, 6}).f32({3, 6}).f32({6}, 0.3, 1);
  c.begin(AddLayerNorm{1e-5f}).f32({3, 6}).f32({3, 6}).f32({6}, 0.3, 1).f32({6});
  for (bool transposed : {true, false}) {
    c.begin(Matmul{.transpose_w = transposed}).f32({4, 3}).f32(transposed ? Shape{5, 3} : Shape{3, 5});
    c.begin(Matmul{.transpose_w = transposed}).f32({2, 2, 3}).f32(transposed ? Shape{5, 3} : Shape{3, 5});
    const Shape w = transposed ? Shape{5, 3} : Shape{3, 5};
    c.begin(FusedMatmul{.transpose_w = transposed, .bias = true}).f32({4, 3}).f32(w).f32({5});
    c.begin(FusedMatmul{.transpose_w = transposed, .scale = 0.5f, .bias = true, .finish = Finish::gelu, .residual = true, .keep = true})
        .f32({4, 3})
        .f32(w)
        .f32({5})
        .f32({4, 5});
  }
  c.begin(OuterSum{}).f32({4, 2}).f32({4, 3});
  c.begin(OuterSum{}).f32({2, 2, 2}).f32({2, 2, 3});
  c.begin(OuterSum{}).f32({4, 2}).f32({4, 3}).f32({2, 3});
  c.begin(GluMatmul{.kind = Activation::silu}).f32({2, 3}).f32({4, 3}).f32({4, 3});
  c.begin(ExpertMatmul{}).f32({3, 4}).f32({3, 2, 4}).i32({3, 2}, {0, 2, 2, 1, 0, 0});
  c.begin(ExpertMatmul{}).f32({3, 2, 4}).f32({3, 2, 4}).i32({3, 2}, {0, 2, 2, 1, 0, 0});
}

void add_attention(Cases& c) {
  for (RopePairing pairing : {RopePairing::half, RopePairing::interleaved})
    c.begin(Rope{pairing, 4, 1.2f}).f32({3, 2, 6}).i32({3}, {0, 5, 9}).f32({2}, 0, 0.3).given({2});
  // Two sequences, one of them with a gap, and padding between and behind.
  std::vector<double> positions = {0, 1, 2, 9, 3, 4, 8, 0}, seq = {4, 4, 4, -1, 7, 7, 7, -1};
  for (Attention op : {Attention{.scale = 0.7f}, Attention{.scale = 0.7f, .softcap = 2}, Attention{.scale = 0.7f, .window = 2},
                       Attention{.scale = 0.7f, .causal = false}, Attention{.scale = 0.7f, .softcap = 3, .window = 3, .causal = false}})
    c.begin(op).f32({8, 4, 3}).f32({8, 2, 3}).f32({8, 2, 5}).i32({8}, positions).i32({8}, seq).without({1});
  for (bool causal : {true, false})  // distances beyond the farthest that the bias tells apart
    c.begin(Attention{.scale = 0.7f, .causal = causal, .bias = true})
        .f32({8, 4, 3})
        .f32({8, 2, 3})
        .f32({8, 2, 5})
        .i32({8}, positions)
        .i32({8}, seq)
        .f32({4, 7})
        .without({1});
  // A memory in another order, with a sequence of nobody's; one of the two sequences has none.
  c.begin(Attention{.scale = 0.7f, .causal = false, .memory = true})
      .f32({8, 4, 3})
      .f32({6, 2, 3})
      .f32({6, 2, 5})
      .i32({8}, positions)
      .i32({8}, seq)
      .i32({6}, {-1, 7, 7, 7, 5, -1})
      .without({1});
}

void add_losses(Cases& c) {
  for (float smoothing : {0.0f, 0.1f}) c.begin(CrossEntropy{smoothing}).f32({4, 5}, 2).i32({4}, {2, -100, 0, 4}).without({1, 2});
  for (float cap : {0.0f, 3.0f})
    for (float smoothing : {0.0f, 0.1f})
      c.begin(HeadLoss{.smoothing = smoothing, .softcap = cap}).f32({4, 3}).f32({5, 3}).i32({4}, {2, -100, 0, 4}).without({1});
  for (Op op : {Op{BinaryCrossEntropy{}}, Op{KlDivergence{2}}}) c.begin(op).f32({4, 3}, 2).f32({4, 3}).positive({4, 1}).given({1, 2}).without({1});
  c.begin(MeanSquaredError{}).f32({4, 3}).f32({4, 3}).positive({4, 1});
}

void add_layers(Cases& c) {
  c.begin(Unfold{3, 2, 1, 1, 0}).f32({2, 5, 2});
  c.begin(Unfold{2, 1, 2, 3, 0.5f}).f32({1, 6, 3});
  c.begin(Fold{5, 3, 2, 1, 1}).f32({2, 3, 2, 3});
  c.begin(Conv1d{}).f32({2, 5, 3}).f32({4, 3, 2});
  c.begin(Conv1d{2, 2, 2}).f32({2, 6, 3}).f32({4, 3, 3});
  c.begin(Pool{PoolKind::max, 2, 2, 0}).f32({2, 6, 3});
  c.begin(Pool{PoolKind::max, 3, 1, 1}).f32({2, 5, 2});
  c.begin(Pool{PoolKind::average, 3, 2, 1}).f32({2, 5, 2});
  c.begin(BatchNorm{1e-5f}).f32({6, 3}, 2, 0.5).f32({3}, 0.3, 1).f32({3});
  c.begin(BatchNorm{1e-5f}).f32({2, 4, 3}, 2, 0.5).f32({3}, 0.3, 1).f32({3});
  c.begin(BatchNormFixed{1e-5f}).f32({2, 4, 3}).f32({3}, 0.3, 1).f32({3}).f32({3}).positive({3});
  for (bool reverse : {false, true}) {
    c.begin(Gru{reverse}).f32({3, 4, 6}).f32({6, 2}).f32({6}).i32({3}, {4, 0, 2});
    c.begin(Lstm{reverse}).f32({3, 4, 8}).f32({8, 2}).i32({3}, {4, 0, 2}).without({1});
  }
}

}  // namespace

std::vector<GradientCase> gradient_cases() {
  Cases c;
  add_elementwise(c);
  add_moves(c);
  add_norms_and_products(c);
  add_attention(c);
  add_losses(c);
  add_layers(c);
  return std::move(c.all);
}

const std::set<std::string>& ops_without_gradient() {
  static const std::set<std::string> names = {"input",
                                              "state",
                                              "const",  // leaves
                                              "cache_append",
                                              "paged_attention",  // a cache
                                              "scatter_last",
                                              "expert_outer_sum",
                                              "attention_grad",
                                              "cross_entropy_grad",
                                              "gru_grad",
                                              "lstm_grad",  // gradients themselves
                                              "assign",
                                              "adamw",
                                              "sgd",
                                              "sgd_momentum",
                                              "lion",
                                              "adafactor",
                                              "adafactor_vector",  // updates
                                              "cast"};             // rounds: passes gradients straight through
  return names;
}

}  // namespace motley::exam
