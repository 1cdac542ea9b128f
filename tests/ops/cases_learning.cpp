// Gradients, losses, recurrences and updates: what only learning asks of a device.
#include <algorithm>
#include <cmath>
#include <limits>

#include "case.h"

namespace motley::exam {
namespace {

std::string shape_name(std::initializer_list<int64_t> sizes) {
  std::string out;
  for (int64_t n : sizes) out += (out.empty() ? " " : "x") + std::to_string(n);
  return out;
}

// A sum of `terms` products of elements of two inputs: at most so many roundings of something below the product of the inputs' lengths.
Bound of_lengths(size_t a, size_t b, int64_t terms) {
  return [=](const Checked& c, size_t r) {
    auto length = [&](size_t i) {
      double peak = row_peaks(*c.in[i], static_cast<int64_t>(c.in[i]->data.size()))[0];
      return peak * std::sqrt(static_cast<double>(terms));
    };
    return std::vector<double>(c.out[r]->data.size(), (std::sqrt(static_cast<double>(terms)) + 4) * kEps * length(a) * length(b));
  };
}

void add_rows_and_moves(std::vector<Case>& cases, Depth depth) {
  for (Activation kind : {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::relu}) {
    // The slope is a sum of terms no larger than 1 + |x|, each off by a few roundings; tanh's argument is off by 2 |x| of them.
    Bound bound = [](const Checked& c, size_t r) {
      return each(c, r, [&](int64_t i) {
        auto at = static_cast<size_t>(i);
        double x = std::fabs(c.in[0]->data[at]);
        return (12 + 4 * std::min(x, 10.0)) * (1 + std::min(x, 10.0)) * kEps * std::fabs(c.in[1]->data[at]);
      });
    };
    cases.push_back({"act_grad", ActGrad{kind}, {{rows_of(64, {37}), normal(71, 3)}, {rows_of(64, {37}), normal(72)}}, bound, 64});
  }
  for (int64_t n : {16, 67, 300}) {
    CaseInput x{plain({70, n}), normal(73, 2, 0.5)}, w{plain({n}), normal(74, 0.3, 1)}, dy{plain({70, n}), normal(75)};
    double terms = static_cast<double>(std::max<int64_t>(n, 70));
    cases.push_back({"rms_norm_grad" + shape_name({n}), RmsNormGrad{1e-5f, 0}, {x, w, dy}, of_peak(2 * terms + 20)});
    cases.push_back({"rms_norm_grad offset" + shape_name({n}), RmsNormGrad{1e-5f, 1}, {x, w, dy}, of_peak(2 * terms + 20)});
    cases.push_back({"layer_norm_grad" + shape_name({n}), LayerNormGrad{1e-5f}, {x, w, dy}, of_peak(2 * terms + 20)});
    cases.push_back({"square_sum" + shape_name({n}), SquareSum{}, {{plain({300, n}), normal(76)}}, relative(300)});
  }
  cases.push_back({"dropout",
                   Dropout{0.3f, 5},
                   {{plain({33, 70}), normal(77)}, {plain({4}, Dtype::i32), [](int64_t i) { return i == 2 ? 9.0 : 3.0; }}},
                   relative(2.1)});
  cases.push_back({"pad", Pad{1, 3, 2}, {{plain({5, 7, 9}), normal(78)}}, exact()});
  cases.push_back({"broadcast column", Broadcast{fixed({4, 6, 35})}, {{plain({6, 1}), normal(79)}}, exact()});
  cases.push_back({"broadcast row", Broadcast{fixed({4, 6, 35})}, {{plain({1, 35}), normal(79)}}, exact()});
  cases.push_back({"scatter_add", ScatterAdd{23}, {{plain({90, 19}), normal(80)}, {plain({90}, Dtype::i32), uniform_int(81, 20)}}, of_peak(90)});
  cases.push_back({"scatter_add to something",
                   ScatterAdd{23},
                   {{plain({90, 19}), normal(80)}, {plain({90}, Dtype::i32), uniform_int(81, 20)}, {plain({23, 19}), normal(85)}},
                   of_peak(91)});
  cases.push_back({"scatter_last",
                   ScatterLast{31},
                   {{rows_of(64, {3}), normal(82)}, {rows_of(64, {3}, Dtype::i32), [](int64_t i) { return static_cast<double>(i * 7 % 31); }}},
                   exact(),
                   64});
  for (int64_t kernel : {2, 3}) {
    Unfold u{kernel, 2, 1, 2, 0.5f};
    int64_t steps = (20 + 2 - 2 * (kernel - 1) - 1) / 2 + 1;
    cases.push_back({"unfold", u, {{plain({3, 20, 5}), normal(83)}}, exact()});
    cases.push_back({"fold", Fold{20, kernel, 2, 1, 2}, {{plain({3, steps, 5, kernel}), normal(84)}}, of_peak(6)});
  }
  for (auto [kernel, stride, padding] : {std::array<int64_t, 3>{3, 1, 1}, {20, 1, 0}, {4, 2, 2}})
    for (Finish finish : {Finish::none, Finish::relu})
      cases.push_back({"pool" + shape_name({kernel, stride, padding}),
                       Pool{PoolKind::max, kernel, stride, padding, finish},
                       {{plain({3, 20, 37}), normal(84)}},
                       exact()});
  if (depth == Depth::full) cases.push_back({"sum of a batch", Sum{0}, {{plain({500, 3000}), normal(85)}}, of_peak(2000)});
}

void add_gradient_products(std::vector<Case>& cases, Depth depth) {
  struct Sizes {
    int64_t rows, n, k;
  };
  std::vector<Sizes> sizes = {{70, 130, 60}, {300, 20, 200}, {1, 65, 64}};
  if (depth == Depth::full) sizes.push_back({700, 500, 64});
  for (auto [rows, n, k] : sizes) {
    cases.push_back({"outer_sum" + shape_name({rows, n, k}),
                     OuterSum{},
                     {{plain({rows, n}), normal(86)}, {plain({rows, k}), normal(87)}},
                     of_lengths(0, 1, rows)});
    cases.push_back({"outer_sum to something" + shape_name({rows, n, k}),
                     OuterSum{},
                     {{plain({rows, n}), normal(86)}, {plain({rows, k}), normal(87)}, {plain({n, k}), normal(88, 0.1)}},
                     of_lengths(0, 1, rows + 1)});
    if (rows >= 16)
      for (bool transposed : {true, false})
        cases.push_back({"matmul bound" + shape_name({rows, n, k}),
                         Matmul{.transpose_w = transposed},
                         {{plain({rows, k}), normal(88)}, {plain(transposed ? std::vector<int64_t>{n, k} : std::vector<int64_t>{k, n}), normal(89)}},
                         of_lengths(0, 1, k)});
  }
  for (bool shared : {true, false})
    cases.push_back({"expert_outer_sum",
                     ExpertOuterSum{5},
                     {{plain({40, 2, 30}), normal(90)},
                      {plain(shared ? std::vector<int64_t>{40, 70} : std::vector<int64_t>{40, 2, 70}), normal(91)},
                      {plain({40, 2}, Dtype::i32), [](int64_t i) { return static_cast<double>(i * i % 4); }}},
                     of_lengths(0, 1, 80)});
}

// Three sequences of 150 tokens, one of them with gaps, and padding between and behind.
constexpr int64_t kTokens = 150;
double sequence_at(int64_t t) { return t < 70 ? 3 : t < 76 ? -1 : t < 90 ? 1 : t < 145 ? 8 : -1; }
double position_at(int64_t t) { return static_cast<double>(t < 70 ? t : t < 90 ? 3 * t : t); }

// Of a memory: the sequences in another order, one of them missing, one that nobody has, and padding.
constexpr int64_t kMemory = 170;
double memory_sequence_at(int64_t j) { return j < 5 ? -1 : j < 100 ? 8 : j < 110 ? 6 : j < 165 ? 3 : -1; }

void add_segments(std::vector<Case>& cases, const Attention& op, int64_t heads, int64_t kv_heads, int64_t d, int64_t dv) {
  std::vector<CaseInput> in = {{plain({kTokens, heads, d}), normal(92)},
                               {plain({kTokens, kv_heads, d}), normal(93)},
                               {plain({kTokens, kv_heads, dv}), normal(94)},
                               {plain({kTokens}, Dtype::i32), position_at},
                               {plain({kTokens}, Dtype::i32), sequence_at}};
  const int64_t keys = op.memory ? kMemory : kTokens;
  if (op.memory) in[1].type.shape[0] = in[2].type.shape[0] = Dim{kMemory};
  CaseInput extra = op.bias ? CaseInput{plain({heads, 2 * 25 + 1}), normal(59)} : CaseInput{plain({kMemory}, Dtype::i32), memory_sequence_at};
  if (op.bias || op.memory) in.push_back(extra);
  // As for the paged attention: a score is off by (d + 12) eps |q| |k|, a probability relatively by as much.
  auto score_error = [=](const Checked& c) {
    double q = std::ranges::max(row_norms(*c.in[0], d)), k = std::ranges::max(row_norms(*c.in[1], d));
    return (static_cast<double>(d) + 12) * kEps * q * k * static_cast<double>(op.scale) + (op.bias ? 10 * kEps : 0);
  };
  std::string name = shape_name({heads, kv_heads, d, dv}) + (op.causal ? "" : " open") + (op.window ? " window" : "") +
                     (op.softcap > 0 ? " softcap" : "") + (op.bias ? " bias" : "") + (op.memory ? " memory" : "");
  cases.push_back({"attention" + name, op, in, [=](const Checked& c, size_t r) {
                     double peak = std::ranges::max(row_peaks(*c.in[2], dv)), error = 2 * score_error(c) + 2 * static_cast<double>(keys + 20) * kEps;
                     return std::vector<double>(c.out[r]->data.size(), r == 0 ? peak * error : error * 10);
                   }});
  if (op.bias || op.memory) in.pop_back();
  // Of the gradient the inputs y and lse are made up: probabilities need not sum to one, but lse keeps them small.
  in.push_back({plain({kTokens, heads, dv}), normal(95, 0.5)});
  in.push_back({plain({kTokens, heads}), [](int64_t i) { return 4 + normal(96, 0.2)(i); }});
  in.push_back({plain({kTokens, heads, dv}), normal(97)});
  if (op.bias || op.memory) in.push_back(extra);
  cases.push_back(
      {"attention_grad" + name, AttentionGrad{op.scale, op.softcap, op.window, op.causal, op.bias, op.memory}, in, [=](const Checked& c, size_t r) {
         double peak = row_peaks(*c.out[r], static_cast<int64_t>(c.out[r]->data.size()))[0];
         const int64_t terms = r == 3 ? kTokens * kTokens : std::max(keys, kTokens);  // a bias may be that of every pair
         double own = static_cast<double>(terms + dv + 40) * kEps;
         return std::vector<double>(c.out[r]->data.size(), peak * (4 * score_error(c) + 4 * own));
       }});
}

void add_losses(std::vector<Case>& cases) {
  for (float smoothing : {0.0f, 0.1f})
    for (int64_t n : {5, 16, 1003}) {
      CaseInput logits{plain({40, n}), normal(98, 3)};
      CaseInput targets{plain({40}, Dtype::i32), [=](int64_t t) { return t % 7 == 3 ? -100.0 : static_cast<double>(t * 13 % n); }};
      cases.push_back({"cross_entropy" + shape_name({n}), CrossEntropy{smoothing}, {logits, targets}, of_peak(static_cast<double>(n) / 8 + 40)});
      CaseInput lse{plain({40}), [=](int64_t t) { return 5 + std::log(static_cast<double>(n)) + normal(99, 0.2)(t); }};
      cases.push_back({"cross_entropy_grad" + shape_name({n}),
                       CrossEntropyGrad{smoothing},
                       {logits, targets, lse, {plain({1}), [](int64_t) { return 0.3; }}},
                       of_peak(40)});
    }
}

// A logit is off by (E + 2) eps |x| |w|; a probability relatively by as much, twice; sums over classes and rows by their roundings.
Bound head_loss_bound(int64_t width, int64_t terms) {
  return [=](const Checked& c, size_t r) {
    double longest_x = std::ranges::max(row_norms(*c.in[0], width)), longest_w = std::ranges::max(row_norms(*c.in[1], width));
    double logit = (static_cast<double>(width) + 2) * kEps * longest_x * longest_w;
    double peak = row_peaks(*c.out[r], static_cast<int64_t>(c.out[r]->data.size()))[0];
    return std::vector<double>(c.out[r]->data.size(), peak * (4 * logit + 4 * static_cast<double>(terms + 20) * kEps));
  };
}

void add_head_losses(std::vector<Case>& cases) {
  struct Sizes {
    int64_t rows, width, classes;
  };
  for (auto [rows, width, classes] : {Sizes{70, 33, 130}, Sizes{300, 64, 67}, Sizes{5, 16, 1000}})
    for (auto [smoothing, cap] : {std::pair{0.0f, 0.0f}, std::pair{0.1f, 0.0f}, std::pair{0.1f, 2.0f}})
      for (auto [to_x, to_w] : {std::pair{false, false}, std::pair{true, false}, std::pair{false, true}, std::pair{true, true}}) {
        HeadLoss op{smoothing, cap, to_x, to_w};
        CaseInput x{plain({rows, width}), normal(117, 0.5)}, w{plain({classes, width}), normal(118, 0.3)};
        CaseInput targets{plain({rows}, Dtype::i32), [=, n = classes](int64_t t) { return t % 7 == 3 ? -100.0 : static_cast<double>(t * 13 % n); }};
        cases.push_back({"head_loss" + shape_name({rows, width, classes}), op, {x, w, targets}, head_loss_bound(width, rows + classes)});
      }
  // Frozen heads in other formats: all values are those of the format, so the bound is the same.
  for (Dtype d : {Dtype::bf16, Dtype::q8_0, Dtype::q6_k}) {
    CaseInput x{plain({70, 256}), normal(117, 0.3)}, w{plain({130, 256}, d), normal(118, 0.2)};
    CaseInput targets{plain({70}, Dtype::i32), [](int64_t t) { return static_cast<double>(t * 13 % 130); }};
    cases.push_back({std::string("head_loss ") + motley::name(d), HeadLoss{.x_gradient = true}, {x, w, targets}, head_loss_bound(256, 200)});
  }
}

void add_recurrences(std::vector<Case>& cases) {
  constexpr int64_t kBatch = 15, kLength = 9, kWidth = 21;
  CaseInput lengths{plain({kBatch}, Dtype::i32), [](int64_t b) { return static_cast<double>(b * 5 % (kLength + 1)); }};
  CaseInput state{plain({kBatch, kLength, kWidth}), normal(101, 0.5)}, d_state{plain({kBatch, kLength, kWidth}), normal(102)};
  // Each step multiplies by weights of length about one and rounds kWidth + some times.
  Bound bound = of_peak(kLength * (kWidth + 60));
  for (bool reverse : {false, true}) {
    std::string name = reverse ? " reverse" : "";
    CaseInput gates{plain({kBatch, kLength, 3 * kWidth}), normal(103)}, w{plain({3 * kWidth, kWidth}), normal(104, 0.2)},
        b{plain({3 * kWidth}), normal(105)};
    cases.push_back({"gru" + name, Gru{reverse}, {gates, w, b, lengths}, bound});
    cases.push_back({"gru_grad" + name, GruGrad{reverse}, {gates, w, b, lengths, state, d_state}, bound});
    CaseInput four{plain({kBatch, kLength, 4 * kWidth}), normal(106)}, w4{plain({4 * kWidth, kWidth}), normal(107, 0.2)};
    cases.push_back({"lstm" + name, Lstm{reverse}, {four, w4, lengths}, bound});
    cases.push_back({"lstm_grad" + name, LstmGrad{reverse}, {four, w4, lengths, state, {state.type, normal(108)}, d_state}, bound});
  }
}

void add_updates(std::vector<Case>& cases) {
  auto is = [](double x) { return [=](int64_t) { return x; }; };
  auto positive = [](int64_t i) { return std::fabs(normal(109)(i)) + 0.05; };
  for (double scale : {0.7, std::numeric_limits<double>::infinity()}) {
    CaseInput w{plain({37, 100}), normal(110)}, m{plain({37, 100}), normal(111)}, v{plain({37, 100}), positive}, g{plain({37, 100}), normal(112)};
    CaseInput lr{plain({1}), is(0.01)}, step{plain({1}, Dtype::i32), is(3)}, factor{plain({1}), is(scale)};
    std::string name = std::isinf(scale) ? " skipped" : "";
    Bound bound = of_peak(12);
    cases.push_back({"assign", Assign{}, {w, g}, exact()});
    for (bool decoupled : {true, false}) {
      cases.push_back({"adamw" + name, Adamw{.decay = 0.1, .decoupled = decoupled}, {w, m, v, g, lr, step, factor}, bound});
      cases.push_back({"sgd_momentum" + name,
                       SgdMomentum{.dampening = 0.1, .decay = 0.1, .nesterov = decoupled, .decoupled = decoupled},
                       {w, m, g, lr, step, factor},
                       bound});
    }
    cases.push_back({"sgd_momentum first" + name, SgdMomentum{}, {w, m, g, lr, {step.type, is(1)}, factor}, bound});
    cases.push_back({"sgd" + name, Sgd{0.1}, {w, g, lr, factor}, bound});
    cases.push_back({"lion" + name, Lion{.decay = 0.1}, {w, m, g, lr, factor}, bound});
    cases.push_back(
        {"adafactor" + name, Adafactor{.decay = 0.1}, {w, {plain({37}), positive}, {plain({100}), positive}, g, lr, step, factor}, bound});
    CaseInput w3{plain({3, 8, 20}), normal(113)}, g3{plain({3, 8, 20}), normal(114)};
    cases.push_back(
        {"adafactor experts" + name, Adafactor{}, {w3, {plain({3, 8}), positive}, {plain({3, 20}), positive}, g3, lr, step, factor}, bound});
    cases.push_back({"adafactor_vector" + name,
                     AdafactorVector{},
                     {{plain({90}), normal(115)}, {plain({90}), positive}, {plain({90}), normal(116)}, lr, step, factor},
                     bound});
  }
}

}  // namespace

void add_learning(std::vector<Case>& cases, Depth depth) {
  add_rows_and_moves(cases, depth);
  add_gradient_products(cases, depth);
  add_segments(cases, {.scale = 0.125f}, 4, 2, 64, 64);
  add_segments(cases, {.scale = 0.2f, .softcap = 4}, 3, 1, 24, 80);
  add_segments(cases, {.scale = 0.2f, .window = 11}, 2, 2, 16, 16);
  add_segments(cases, {.scale = 0.2f, .window = 5, .causal = false}, 2, 1, 40, 33);
  add_segments(cases, {.scale = 0.2f, .causal = false}, 2, 2, 16, 16);
  add_segments(cases, {.scale = 0.2f, .bias = true}, 4, 4, 16, 16);
  add_segments(cases, {.scale = 0.2f, .causal = false, .bias = true}, 4, 2, 24, 40);
  add_segments(cases, {.scale = 0.2f, .causal = false, .memory = true}, 4, 4, 32, 32);
  add_segments(cases, {.scale = 0.2f, .causal = false, .memory = true}, 4, 1, 20, 33);
  add_losses(cases);
  add_head_losses(cases);
  add_recurrences(cases);
  add_updates(cases);
}

}  // namespace motley::exam
