// The ops that learning adds to the list in op.h: losses, what gradients are made of, layers that only small trained models have, and the
// updates of states. Attributes that enter an update are doubles: 1 - 0.999f is off by 1e-5.
//
//   Op op = CrossEntropy{.smoothing = 0.1f};
#pragma once
#include <cstdint>

#include "ir/op_fields.h"

namespace motley {

enum class Activation : uint8_t { silu, gelu, gelu_tanh, relu };
// An activation, or nothing, at the end of a fused op.
enum class Finish : uint8_t { none, silu, gelu, gelu_tanh, relu };
constexpr Finish finish_of(Activation a) { return static_cast<Finish>(static_cast<uint8_t>(a) + 1); }
constexpr Activation activation_of(Finish f) { return static_cast<Activation>(static_cast<uint8_t>(f) - 1); }  // not of none
enum class PoolKind : uint8_t { max, average };

// ---- gradients of ops in op.h that are not a few of its own
struct ActGrad {  // composite: (x, dy) -> dy act'(x)
  Activation kind = Activation::silu;
  MOTLEY_FIELDS(MOTLEY_F(ActGrad, kind))
};
struct ScatterAdd {  // (y f32 [M, ...], ids i32 [M]) -> [rows, ...]: row ids[i] gets the sum of the y[i], the gradient of gather; (y, ids, c): + c
  int64_t rows = 0;
  MOTLEY_FIELDS(MOTLEY_F(ScatterAdd, rows))
};
struct ScatterLast {  // (y f32 [..., k], ids i32 [..., k]) -> [..., size]: the same along the last axis. The gradient of top_k's values
  int64_t size = 0;
  MOTLEY_FIELDS(MOTLEY_F(ScatterLast, size))
};
struct RmsNormGrad {  // composite: (x, w, dy) -> dx, dw
  float eps = 1e-6f, offset = 0;
  MOTLEY_FIELDS(MOTLEY_F(RmsNormGrad, eps), MOTLEY_F(RmsNormGrad, offset))
};
struct LayerNormGrad {  // composite: (x, w, dy) -> dx, dw, db
  float eps = 1e-5f;
  MOTLEY_FIELDS(MOTLEY_F(LayerNormGrad, eps))
};

// ---- attention within a packed batch
// (q f32 [T, H, D], k f32 [T, Hkv, D], v f32 [T, Hkv, Dv], positions i32 [T], seq i32 [T]) -> y f32 [T, H, Dv], lse f32 [T, H]. Neighbours with
// the same seq are one sequence, in which positions rise; seq below 0 is padding, which sees nothing and gives zeros. A token sees its
// sequence: with `causal` what is not after it, with a window what is less than `window` positions away. Scores are softcap(q.k * scale) when
// softcap > 0; lse is the logarithm of the sum of their exponentials, from which the gradient forms the probabilities anew (Dao et al. 2022).
// With `bias` one more input f32 [H, 2N + 1] is added to the scores, by how far a key stands behind its query: bias[h, N + clamp(p' - p, -N, N)]; it
// goes with no softcap. With `memory` the keys and values are those of other tokens, f32 [M, ...], and the last input i32 [M] says whose: a token
// sees all of the one run whose number is its own seq, and nothing, hence zeros, where there is none.
struct Attention {
  float scale = 1, softcap = 0;
  int64_t window = 0;
  bool causal = true, bias = false, memory = false;
  MOTLEY_FIELDS(MOTLEY_F(Attention, scale), MOTLEY_F(Attention, softcap), MOTLEY_F(Attention, window), MOTLEY_F(Attention, causal),
                MOTLEY_F(Attention, bias), MOTLEY_F(Attention, memory))
};
struct AttentionGrad {  // (q, k, v, positions, seq, y, lse, dy, then bias or the memory's seq) -> dq, dk, dv, with `bias` dbias
  float scale = 1, softcap = 0;
  int64_t window = 0;
  bool causal = true, bias = false, memory = false;
  MOTLEY_FIELDS(MOTLEY_F(AttentionGrad, scale), MOTLEY_F(AttentionGrad, softcap), MOTLEY_F(AttentionGrad, window), MOTLEY_F(AttentionGrad, causal),
                MOTLEY_F(AttentionGrad, bias), MOTLEY_F(AttentionGrad, memory))
};

// ---- losses: a weighted sum over rows and the sum of the weights, both [1]. Whoever divides the sum of all gradients by the sum of all
// weights gets the same whatever the split into micro-batches.
// (logits f32 [T, V], targets i32 [T]) -> sum, weight, lse f32 [T]; a target of kIgnoreTarget is left out, any other counts 1. With smoothing
// e the target distribution is 1 - e at the target plus e / V everywhere (Szegedy et al. 2016).
struct CrossEntropy {
  float smoothing = 0;
  MOTLEY_FIELDS(MOTLEY_F(CrossEntropy, smoothing))
};
inline constexpr int32_t kIgnoreTarget = -100;
struct CrossEntropyGrad {  // (logits, targets, lse, dsum [1]) -> dlogits
  float smoothing = 0;
  MOTLEY_FIELDS(MOTLEY_F(CrossEntropyGrad, smoothing))
};
// Composite: the head's product, its soft cap and the cross-entropy in one, so that the logits of all rows never are there together:
// (x f32 [T, E], w [V, E], targets i32 [T]) -> sum, weight, then where asked the sum's gradients to x and to w. They are formed while the logits of
// their rows are there, so a step that learns multiplies with the head three times and not four.
struct HeadLoss {
  float smoothing = 0, softcap = 0;
  bool x_gradient = false, w_gradient = false;
  MOTLEY_FIELDS(MOTLEY_F(HeadLoss, smoothing), MOTLEY_F(HeadLoss, softcap), MOTLEY_F(HeadLoss, x_gradient), MOTLEY_F(HeadLoss, w_gradient))
};
// Composite, over (x f32 [T, L], y f32 [T, L], w f32 [T, 1]) -> sum, weight. Each of L elements counts w.
struct BinaryCrossEntropy {  // x logits, y probabilities: several labels at once when L > 1
  MOTLEY_FIELDS()
};
struct MeanSquaredError {  // (x - y)^2
  MOTLEY_FIELDS()
};
// Composite: (student f32 [T, V], teacher f32 [T, V], w f32 [T, 1]) -> t^2 KL(softmax(teacher / t) || softmax(student / t)), weight; a row counts
// w. The teacher gets no gradient. Hinton et al. 2015.
struct KlDivergence {
  float temperature = 1;
  MOTLEY_FIELDS(MOTLEY_F(KlDivergence, temperature))
};

// ---- chance
// (x [N, ...], key i32 [4]: seed low, seed high, step, number of x's first row in the whole batch): zeroes an element with probability
// `rate`, scales the others by 1 / (1 - rate). The mask is philox(seed, (step, stream), global element); `stream` tells the nodes of a graph
// apart, and the row in the key makes shards and micro-batches draw what the whole batch would.
struct Dropout {
  float rate = 0;
  int64_t stream = 0;
  MOTLEY_FIELDS(MOTLEY_F(Dropout, rate), MOTLEY_F(Dropout, stream))
};

// ---- windows over a sequence: x [B, L, C], channels last
// -> [B, L', C, kernel]: x[b, l * stride + i * dilation - padding, c], `fill` outside. L' = (L + 2 padding - dilation (kernel - 1) - 1) / stride + 1.
struct Unfold {
  int64_t kernel = 1, stride = 1, padding = 0, dilation = 1;
  float fill = 0;
  MOTLEY_FIELDS(MOTLEY_F(Unfold, kernel), MOTLEY_F(Unfold, stride), MOTLEY_F(Unfold, padding), MOTLEY_F(Unfold, dilation), MOTLEY_F(Unfold, fill))
};
struct Fold {  // [B, L', C, kernel] -> [B, length, C]: what unfold took from an element is added to it
  int64_t length = 0, kernel = 1, stride = 1, padding = 0, dilation = 1;
  MOTLEY_FIELDS(MOTLEY_F(Fold, length), MOTLEY_F(Fold, kernel), MOTLEY_F(Fold, stride), MOTLEY_F(Fold, padding), MOTLEY_F(Fold, dilation))
};
struct Conv1d {  // composite: (x [B, L, C], w [O, C, kernel]) -> [B, L', O]
  int64_t stride = 1, padding = 0, dilation = 1;
  MOTLEY_FIELDS(MOTLEY_F(Conv1d, stride), MOTLEY_F(Conv1d, padding), MOTLEY_F(Conv1d, dilation))
};
struct Pool {  // composite: x [B, L, C] -> finish of [B, L', C]; an average counts what padding adds as zeros
  PoolKind kind = PoolKind::max;
  int64_t kernel = 1, stride = 1, padding = 0;
  Finish finish = Finish::none;
  MOTLEY_FIELDS(MOTLEY_F(Pool, kind), MOTLEY_F(Pool, kernel), MOTLEY_F(Pool, stride), MOTLEY_F(Pool, padding), MOTLEY_F(Pool, finish))
};
// Ioffe & Szegedy 2015, over all axes but the last. In training, composite: (x, w, b) -> y, mean [C], variance [C] (of the batch, with n - 1),
// from which the running ones are updated; afterwards with those: (x, w, b, mean, variance) -> y.
struct BatchNorm {
  float eps = 1e-5f;
  MOTLEY_FIELDS(MOTLEY_F(BatchNorm, eps))
};
struct BatchNormFixed {
  float eps = 1e-5f;
  MOTLEY_FIELDS(MOTLEY_F(BatchNormFixed, eps))
};

// ---- recurrences: one op each, since a graph has no loops. Zero before the first step; sequence b has lengths[b] of L steps. After them the
// last state is held, so h[:, L - 1] is every sequence's last; with `reverse` the steps run from lengths[b] - 1 down to 0, h[:, 0] is the last
// and what lies beyond the length is 0.
// Cho et al. 2014 with the reset after the product: (gates f32 [B, L, 3H] = x W' + b as r, z, n; w [3H, H], b [3H], lengths i32 [B]) -> h
// f32 [B, L, H].
struct Gru {
  bool reverse = false;
  MOTLEY_FIELDS(MOTLEY_F(Gru, reverse))
};
struct GruGrad {  // (gates, w, b, lengths, h, dh) -> dgates, dhidden: to the gates' input side and to the products with w, both [B, L, 3H]
  bool reverse = false;
  MOTLEY_FIELDS(MOTLEY_F(GruGrad, reverse))
};
// Hochreiter & Schmidhuber 1997: (gates f32 [B, L, 4H] = x W' + b as i, f, g, o; w [4H, H], lengths) -> h, c f32 [B, L, H].
struct Lstm {
  bool reverse = false;
  MOTLEY_FIELDS(MOTLEY_F(Lstm, reverse))
};
struct LstmGrad {  // (gates, w, lengths, h, c, dh) -> dgates
  bool reverse = false;
  MOTLEY_FIELDS(MOTLEY_F(LstmGrad, reverse))
};

// ---- updates: the first inputs are states, the first results their successors. `lr` and `scale` are f32 [1], step i32 [1] counts from 1.
// The gradient is multiplied by `scale` (1 / weight, loss scale and clipping in one). A scale that is not finite leaves all as it is: a
// step that overflowed is skipped. Decay shrinks the weight itself when decoupled, else it is added to the gradient (L2).
struct SquareSum {  // x of any shape -> f32 [1]: the sum of its squares; norms for clipping are made of it
  MOTLEY_FIELDS()
};
struct Assign {  // (state, x f32 of its shape) -> x: running statistics, averaged weights, accumulated gradients
  MOTLEY_FIELDS()
};
struct Adamw {  // (w, m, v, grad, lr, step, scale). Loshchilov & Hutter 2019; Kingma & Ba 2015 when not decoupled
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, decay = 0;
  bool decoupled = true;
  MOTLEY_FIELDS(MOTLEY_F(Adamw, beta1), MOTLEY_F(Adamw, beta2), MOTLEY_F(Adamw, eps), MOTLEY_F(Adamw, decay), MOTLEY_F(Adamw, decoupled))
};
struct Sgd {  // (w, grad, lr, scale); both kinds of decay are the same here
  double decay = 0;
  MOTLEY_FIELDS(MOTLEY_F(Sgd, decay))
};
struct SgdMomentum {  // (w, m, grad, lr, step, scale); the first step starts the average with its gradient
  double momentum = 0.9, dampening = 0, decay = 0;
  bool nesterov = false, decoupled = false;
  MOTLEY_FIELDS(MOTLEY_F(SgdMomentum, momentum), MOTLEY_F(SgdMomentum, dampening), MOTLEY_F(SgdMomentum, decay), MOTLEY_F(SgdMomentum, nesterov),
                MOTLEY_F(SgdMomentum, decoupled))
};
struct Lion {  // (w, m, grad, lr, scale). Chen et al. 2023; decay is decoupled
  double beta1 = 0.9, beta2 = 0.99, decay = 0;
  MOTLEY_FIELDS(MOTLEY_F(Lion, beta1), MOTLEY_F(Lion, beta2), MOTLEY_F(Lion, decay))
};
// Shazeer & Stern 2018 without a first moment: (w [..., N, K], rows f32 [..., N], columns f32 [..., K], grad, lr, step, scale); for what has one
// axis (w, v, grad, lr, step, scale). The rate is min(lr, 1 / sqrt(step)) times max(eps2, root mean square of w); decay is decoupled.
struct Adafactor {
  double power = -0.8, eps1 = 0x1p-23, eps2 = 1e-3, clip = 1, decay = 0;
  MOTLEY_FIELDS(MOTLEY_F(Adafactor, power), MOTLEY_F(Adafactor, eps1), MOTLEY_F(Adafactor, eps2), MOTLEY_F(Adafactor, clip),
                MOTLEY_F(Adafactor, decay))
};
struct AdafactorVector {
  double power = -0.8, eps1 = 0x1p-23, eps2 = 1e-3, clip = 1, decay = 0;
  MOTLEY_FIELDS(MOTLEY_F(AdafactorVector, power), MOTLEY_F(AdafactorVector, eps1), MOTLEY_F(AdafactorVector, eps2), MOTLEY_F(AdafactorVector, clip),
                MOTLEY_F(AdafactorVector, decay))
};

}  // namespace motley
