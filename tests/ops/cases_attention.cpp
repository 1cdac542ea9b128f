#include <algorithm>
#include <cmath>

#include "case.h"

namespace motley::exam {
namespace {

struct Heads {
  int64_t heads, kv_heads, d, dv, page;
};

// 64 tokens of four sequences: parts of prompts and single tokens, at positions that cross pages and chunks.
constexpr int64_t kSequences = 4, kBlocks = 12;
int64_t sequence_of(int64_t t) { return t < 20 ? 0 : t < 53 ? 1 : t < 54 ? 2 : 3; }
int64_t position_of(int64_t t, int64_t capacity) {
  constexpr int64_t kFirst[] = {0, 20, 53, 54};
  int64_t seq = sequence_of(t), start = seq == 0 ? 0 : seq == 1 ? 31 : seq == 2 ? capacity - 1 : 100;
  return std::min(start + t - kFirst[seq], capacity - 1);
}

void add_paged(std::vector<Case>& cases, const Heads& h, Dtype kv, PagedAttention op, const std::string& name) {
  int64_t pages = kSequences * kBlocks, capacity = kBlocks * h.page;
  // Every sequence has its own pages, in an order that is not the natural one.
  auto table = [=](int64_t i) { return static_cast<double>(i * 29 % pages); };
  std::vector<CaseInput> in = {
      {rows_of(64, {h.heads, h.d}), normal(51)},
      {plain({pages, h.kv_heads, h.page, h.d}, kv), normal(52)},
      {plain({pages, h.kv_heads, h.page, h.dv}, kv), normal(53)},
      {rows_of(64, {}, Dtype::i32), [=](int64_t t) { return static_cast<double>(position_of(t, capacity)); }},
      {rows_of(64, {}, Dtype::i32), [](int64_t t) { return static_cast<double>(sequence_of(t)); }},
      {plain({kSequences, kBlocks}, Dtype::i32), table},
  };
  // Nearer and farther than positions are apart.
  if (op.bias) in.push_back({plain({h.heads, 2 * 40 + 1}), normal(58)});
  Bound bound = [=](const Checked& c, size_t r) {
    // A score is a sum of d terms, off by (d + 3) eps |q| |k|; a weight is then off by as much, relatively, plus the roundings of the
    // exponential's argument; the weighted mean of values at most as far as its weights, twice (sum above and below).
    auto q = row_norms(*c.in[0], h.d), k = row_norms(*c.in[1], h.d), v = row_peaks(*c.in[2], h.dv);
    double k_norm = *std::ranges::max_element(k), v_peak = *std::ranges::max_element(v);
    return each(c, r, [&](int64_t i) {
      double score = q[static_cast<size_t>(i / h.dv)] * k_norm * op.scale, score_error = (static_cast<double>(h.d) + 12) * kEps * score;
      if (op.bias) score_error += kEps * (score + 5);  // of a sum with a normal number
      return v_peak * (2 * score_error + 2 * (static_cast<double>(capacity) + 20) * kEps);
    });
  };
  cases.push_back({"paged_attention " + name, op, std::move(in), bound, 64});
}

}  // namespace

void add_attention(std::vector<Case>& cases, Depth depth) {
  for (RopePairing pairing : {RopePairing::half, RopePairing::interleaved})
    for (int64_t dims : {8, 34, 64}) {
      // Two products and a sum; cos and sin are rounded once.
      Bound bound = [](const Checked& c, size_t r) {
        auto size = row_peaks(*c.in[0], 64);
        return each(c, r, [&](int64_t i) { return 6 * kEps * size[static_cast<size_t>(i / 64)]; });
      };
      auto frequency = [=](int64_t i) { return std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(dims)); };
      cases.push_back({"rope " + std::to_string(dims),
                       Rope{pairing, dims, 1.0f},
                       {{rows_of(64, {3, 64}), normal(54)}, {rows_of(64, {}, Dtype::i32), uniform_int(55, 100000)}, {plain({dims / 2}), frequency}},
                       bound,
                       64});
    }

  std::vector<Dtype> types = {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::q8_0};
  for (Dtype kv : types) {
    int64_t d = kv == Dtype::q8_0 ? 64 : 40;
    // Slots are a permutation, so no row overwrites another.
    auto slot = [](int64_t t) { return static_cast<double>(t * 37 % 96); };
    cases.push_back({std::string("cache_append ") + motley::name(kv),
                     CacheAppend{},
                     {{plain({6, 3, 16, d}, kv), normal(56)}, {rows_of(64, {3, d}), normal(57)}, {rows_of(64, {}, Dtype::i32), slot}},
                     exact(),
                     0});
    cases.back().in[1].type.shape[0] = cases.back().in[2].type.shape[0] = {64};

    std::string name = motley::name(kv);
    PagedAttention op{.scale = 0.125f};
    add_paged(cases, {8, 2, 64, 64, 16}, kv, op, name + " grouped");
    add_paged(cases, {3, 3, 32, 96, 32}, kv, op, name + " plain");
    op.window = 45;
    add_paged(cases, {8, 2, 64, 64, 16}, kv, op, name + " window");
    op.window = 0, op.softcap = 20;
    add_paged(cases, {4, 1, 128, 128, 16}, kv, op, name + " softcap");
    op.softcap = 0, op.bias = true;
    add_paged(cases, {4, 4, 32, 32, 16}, kv, op, name + " bias");
    add_paged(cases, {6, 2, 64, 64, 32}, kv, op, name + " bias grouped");
    if (kv == Dtype::f16) {  // sequences of several segments, which a step of one token may hand to several workers
      add_paged(cases, {6, 2, 32, 32, 128}, kv, {.scale = 0.125f}, name + " long");
      add_paged(cases, {3, 1, 32, 32, 128}, kv, {.scale = 0.125f, .window = 700}, name + " long window");
    }
    if (depth == Depth::full && kv != Dtype::q8_0) {
      add_paged(cases, {5, 1, 33, 17, 7}, kv, {.scale = 0.2f}, name + " odd");
      add_paged(cases, {6, 2, 80, 80, 32}, kv, {.scale = 0.1f, .softcap = 5, .window = 70}, name + " both");
    }
  }
}

}  // namespace motley::exam
