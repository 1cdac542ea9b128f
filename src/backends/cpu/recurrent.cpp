// Launchers of the recurrences. Sequences go step by step in groups of a few rows, whose states are multiplied with the recurrent weights as one
// register tile; the weights are packed once per call, for all. A row's bits do not depend on its group.
#include <algorithm>
#include <cmath>

#include "backends/cpu/gemm.h"
#include "base/error.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

constexpr int64_t kGroup = 12;  // sequences

int64_t panels(int64_t n) { return (n + kPanelColumns - 1) / kPanelColumns; }
int64_t packed_floats(int64_t rows, int64_t columns) { return panels(columns) * rows * kPanelColumns; }

// One group's way through its sequences.
class Group {
 public:
  Group(const Launch& l, const Array& gates, const Array& lengths, int64_t width, bool reverse, int64_t first)
      : first_(first), count_(std::min(kGroup, gates.dims[0] - first)), length_(gates.dims[1]), width_(width), reverse_(reverse) {
    for (int64_t i = 0; i < count_; ++i) {
      steps_[i] = lengths.i32()[first + i];
      if (steps_[i] < 0 || steps_[i] > length_)
        fail(ErrorKind::usage, op_name(l.op), "sequence {} has length {} of {}", first + i, steps_[i], length_);
      longest_ = std::max(longest_, steps_[i]);
    }
  }
  int64_t count() const { return count_; }
  int64_t longest() const { return longest_; }
  bool active(int64_t i, int64_t step) const { return step < steps_[i]; }
  // The row of [B, L, ...] that is sequence i's step-th step.
  int64_t row(int64_t i, int64_t step) const { return (first_ + i) * length_ + (reverse_ ? steps_[i] - 1 - step : step); }

  // What lies beyond the lengths: the last state, or zeros when the steps run backwards.
  void hold(float* h) const {
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t t = steps_[i]; t < length_; ++t) {
        float* to = h + ((first_ + i) * length_ + t) * width_;
        if (!reverse_ && steps_[i] > 0)
          std::copy_n(h + row(i, steps_[i] - 1) * width_, width_, to);
        else
          std::fill_n(to, width_, 0.0f);
      }
  }
  // The gradient that reaches the last state from where it is held, and zeros for what the padding's gates get.
  void unhold(const KernelTable& k, const float* dh, float* carry) const {
    for (int64_t i = 0; i < count_; ++i)
      for (int64_t t = steps_[i]; t < length_ && !reverse_; ++t)
        k.binary[kAdd](carry + i * width_, carry + i * width_, dh + ((first_ + i) * length_ + t) * width_, width_, 1, 1);
  }
  void clear_padding(float* x, int64_t columns) const {
    for (int64_t i = 0; i < count_; ++i) std::fill_n(x + ((first_ + i) * length_ + steps_[i]) * columns, (length_ - steps_[i]) * columns, 0.0f);
  }

 private:
  int64_t first_, count_, length_, width_;
  bool reverse_;
  int64_t steps_[kGroup], longest_ = 0;
};

// Recurrent weights in panels, for products with w (of states) and with its transpose (of gradients).
struct Packed {
  const float *forward, *backward;
};
Packed pack_weights(const Array& weight, bool backward, std::byte* scratch, Worker& w) {
  int64_t n = weight.dims[0], h = weight.dims[1];
  auto* to = reinterpret_cast<float*>(scratch);
  float* back = to + packed_floats(h, n);
  w.split(panels(n), 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      pack_columns(weight.f32() + p * kPanelColumns * h, 1, h, std::min<int64_t>(kPanelColumns, n - p * kPanelColumns), h,
                   to + p * h * kPanelColumns);
  });
  if (backward)
    w.split(panels(h), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        pack_columns(weight.f32() + p * kPanelColumns, h, 1, std::min<int64_t>(kPanelColumns, h - p * kPanelColumns), n,
                     back + p * n * kPanelColumns);
    });
  w.barrier();
  return {to, back};
}

// out[rows][columns rounded up to panels] = x[rows][k] times packed weights.
void product(const KernelTable& table, const float* x, int64_t rows, int64_t k, const float* packed, int64_t columns, float* tiles, float* out) {
  pack_tiles(table, x, k, 1, rows, k, tiles);
  int64_t row = panels(columns) * kPanelColumns;
  for (int64_t p = 0; p < panels(columns); ++p)
    multiply_tiles(table, tiles, rows, k, packed + p * k * kPanelColumns, out + p * kPanelColumns, row, true);
}

// Floats of a worker's memory that a group needs, for `kinds` gates of width h.
int64_t group_floats(int64_t kinds, int64_t h) {
  return kGroup * (2 * kinds * h + 2 * panels(kinds * h) * kPanelColumns + panels(h) * kPanelColumns + 8 * h) + 256;
}

struct Memory {
  float* at;
  float* take(int64_t n) {
    float* out = at;
    at += (n + 15) / 16 * 16;
    return out;
  }
};

// ---- GRU

// r, z (next to each other) and n of one row; product is w h + b.
void gru_gates(const KernelTable& k, const float* gates, const float* product, int64_t h, float* rz, float* n) {
  k.binary[kAdd](rz, gates, product, 2 * h, 1, 1);
  k.unary[kSigmoid](rz, rz, 2 * h, 0);
  k.binary[kMul](n, rz, product + 2 * h, h, 1, 1);
  k.binary[kAdd](n, n, gates + 2 * h, h, 1, 1);
  k.unary[kTanh](n, n, h, 0);
}

void gru(const Launch& l, Worker& w) {
  const Array &gates = *l.in[0], &bias = *l.in[2], &lengths = *l.in[3], &y = *l.out[0];
  bool reverse = std::get<Gru>(l.op).reverse;
  int64_t h = y.dims[2], wide = panels(3 * h) * kPanelColumns;
  Packed packed = pack_weights(*l.in[1], false, l.scratch, w);
  w.split((gates.dims[0] + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      Memory memory{reinterpret_cast<float*>(w.memory())};
      float *state = memory.take(kGroup * h), *tiles = memory.take(kGroup * h), *products = memory.take(kGroup * wide), *rz = memory.take(2 * h),
            *n = memory.take(h);
      Group group(l, gates, lengths, h, reverse, task * kGroup);
      std::fill_n(state, kGroup * h, 0.0f);
      for (int64_t step = 0; step < group.longest(); ++step) {
        product(l.k, state, group.count(), h, packed.forward, 3 * h, tiles, products);
        for (int64_t i = 0; i < group.count(); ++i) {
          if (!group.active(i, step)) continue;
          float *p = products + i * wide, *s = state + i * h;
          l.k.binary[kAdd](p, p, bias.f32(), 3 * h, 1, 1);
          gru_gates(l.k, gates.f32() + group.row(i, step) * 3 * h, p, h, rz, n);
          l.k.binary[kSub](s, s, n, h, 1, 1);  // n + z (h - n)
          l.k.binary[kMul](s, s, rz + h, h, 1, 1);
          l.k.binary[kAdd](s, s, n, h, 1, 1);
          std::copy_n(s, h, y.f32() + group.row(i, step) * h);
        }
      }
      group.hold(y.f32());
    }
  });
}

void gru_grad(const Launch& l, Worker& w) {
  const Array &gates = *l.in[0], &bias = *l.in[2], &lengths = *l.in[3], &states = *l.in[4], &dh = *l.in[5], &dgates = *l.out[0], &dhidden = *l.out[1];
  bool reverse = std::get<GruGrad>(l.op).reverse;
  int64_t h = states.dims[2], wide = panels(3 * h) * kPanelColumns, narrow = panels(h) * kPanelColumns;
  Packed packed = pack_weights(*l.in[1], true, l.scratch, w);
  w.split((gates.dims[0] + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      Memory memory{reinterpret_cast<float*>(w.memory())};
      float *before = memory.take(kGroup * h), *carry = memory.take(kGroup * h), *tiles = memory.take(kGroup * 3 * h),
            *products = memory.take(kGroup * wide), *dp = memory.take(kGroup * 3 * h), *back = memory.take(kGroup * narrow), *rz = memory.take(2 * h),
            *n = memory.take(h);
      Group group(l, gates, lengths, h, reverse, task * kGroup);
      std::fill_n(carry, kGroup * h, 0.0f);
      group.unhold(l.k, dh.f32(), carry);
      group.clear_padding(dgates.f32(), 3 * h);
      group.clear_padding(dhidden.f32(), 3 * h);
      for (int64_t step = group.longest(); step-- > 0;) {
        for (int64_t i = 0; i < group.count(); ++i) {
          if (step > 0 && group.active(i, step))
            std::copy_n(states.f32() + group.row(i, step - 1) * h, h, before + i * h);
          else
            std::fill_n(before + i * h, h, 0.0f);
        }
        product(l.k, before, group.count(), h, packed.forward, 3 * h, tiles, products);
        std::fill_n(dp, kGroup * 3 * h, 0.0f);
        for (int64_t i = 0; i < group.count(); ++i) {
          if (!group.active(i, step)) continue;
          int64_t row = group.row(i, step);
          float *p = products + i * wide, *c = carry + i * h, *d = dp + i * 3 * h;
          l.k.binary[kAdd](p, p, bias.f32(), 3 * h, 1, 1);
          gru_gates(l.k, gates.f32() + row * 3 * h, p, h, rz, n);
          float* to = dgates.f32() + row * 3 * h;
          for (int64_t j = 0; j < h; ++j) {
            float g = c[j] + dh.f32()[row * h + j], r = rz[j], z = rz[h + j], dn = g * (1 - z) * (1 - n[j] * n[j]);
            d[j] = to[j] = dn * p[2 * h + j] * r * (1 - r);
            d[h + j] = to[h + j] = g * (before[i * h + j] - n[j]) * z * (1 - z);
            to[2 * h + j] = dn;
            d[2 * h + j] = dn * r;
            c[j] = g * z;
          }
          std::copy_n(d, 3 * h, dhidden.f32() + row * 3 * h);
        }
        product(l.k, dp, group.count(), 3 * h, packed.backward, h, tiles, back);
        for (int64_t i = 0; i < group.count(); ++i) l.k.binary[kAdd](carry + i * h, carry + i * h, back + i * narrow, h, 1, 1);
      }
    }
  });
}

// ---- LSTM

// i, f, g, o of one row, in place of the sums they are made of.
void lstm_gates(const KernelTable& k, const float* gates, const float* product, int64_t h, float* out) {
  k.binary[kAdd](out, gates, product, 4 * h, 1, 1);
  k.unary[kSigmoid](out, out, 2 * h, 0);
  k.unary[kTanh](out + 2 * h, out + 2 * h, h, 0);
  k.unary[kSigmoid](out + 3 * h, out + 3 * h, h, 0);
}

void lstm(const Launch& l, Worker& w) {
  const Array &gates = *l.in[0], &lengths = *l.in[2], &y = *l.out[0], &cells = *l.out[1];
  bool reverse = std::get<Lstm>(l.op).reverse;
  int64_t h = y.dims[2], wide = panels(4 * h) * kPanelColumns;
  Packed packed = pack_weights(*l.in[1], false, l.scratch, w);
  w.split((gates.dims[0] + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      Memory memory{reinterpret_cast<float*>(w.memory())};
      float *state = memory.take(kGroup * h), *cell = memory.take(kGroup * h), *tiles = memory.take(kGroup * h),
            *products = memory.take(kGroup * wide), *g = memory.take(4 * h), *turn = memory.take(h);
      Group group(l, gates, lengths, h, reverse, task * kGroup);
      std::fill_n(state, kGroup * h, 0.0f);
      std::fill_n(cell, kGroup * h, 0.0f);
      for (int64_t step = 0; step < group.longest(); ++step) {
        product(l.k, state, group.count(), h, packed.forward, 4 * h, tiles, products);
        for (int64_t i = 0; i < group.count(); ++i) {
          if (!group.active(i, step)) continue;
          int64_t row = group.row(i, step);
          float *s = state + i * h, *c = cell + i * h;
          lstm_gates(l.k, gates.f32() + row * 4 * h, products + i * wide, h, g);
          l.k.binary[kMul](c, c, g + h, h, 1, 1);
          l.k.binary[kMul](turn, g, g + 2 * h, h, 1, 1);
          l.k.binary[kAdd](c, c, turn, h, 1, 1);
          l.k.unary[kTanh](turn, c, h, 0);
          l.k.binary[kMul](s, g + 3 * h, turn, h, 1, 1);
          std::copy_n(s, h, y.f32() + row * h);
          std::copy_n(c, h, cells.f32() + row * h);
        }
      }
      group.hold(y.f32());
      group.hold(cells.f32());
    }
  });
}

void lstm_grad(const Launch& l, Worker& w) {
  const Array &gates = *l.in[0], &lengths = *l.in[2], &states = *l.in[3], &cells = *l.in[4], &dh = *l.in[5], &dgates = *l.out[0];
  bool reverse = std::get<LstmGrad>(l.op).reverse;
  int64_t h = states.dims[2], wide = panels(4 * h) * kPanelColumns, narrow = panels(h) * kPanelColumns;
  Packed packed = pack_weights(*l.in[1], true, l.scratch, w);
  w.split((gates.dims[0] + kGroup - 1) / kGroup, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      Memory memory{reinterpret_cast<float*>(w.memory())};
      float *before = memory.take(kGroup * h), *carry = memory.take(kGroup * h), *cell = memory.take(kGroup * h),
            *tiles = memory.take(kGroup * 4 * h), *products = memory.take(kGroup * wide), *d = memory.take(kGroup * 4 * h),
            *back = memory.take(kGroup * narrow), *g = memory.take(4 * h), *turn = memory.take(h);
      Group group(l, gates, lengths, h, reverse, task * kGroup);
      std::fill_n(carry, kGroup * h, 0.0f);
      std::fill_n(cell, kGroup * h, 0.0f);
      group.unhold(l.k, dh.f32(), carry);
      group.clear_padding(dgates.f32(), 4 * h);
      for (int64_t step = group.longest(); step-- > 0;) {
        for (int64_t i = 0; i < group.count(); ++i) {
          if (step > 0 && group.active(i, step))
            std::copy_n(states.f32() + group.row(i, step - 1) * h, h, before + i * h);
          else
            std::fill_n(before + i * h, h, 0.0f);
        }
        product(l.k, before, group.count(), h, packed.forward, 4 * h, tiles, products);
        std::fill_n(d, kGroup * 4 * h, 0.0f);
        for (int64_t i = 0; i < group.count(); ++i) {
          if (!group.active(i, step)) continue;
          int64_t row = group.row(i, step);
          float *c = carry + i * h, *dc = cell + i * h, *to = d + i * 4 * h;
          const float* c_before = step > 0 ? cells.f32() + group.row(i, step - 1) * h : nullptr;
          lstm_gates(l.k, gates.f32() + row * 4 * h, products + i * wide, h, g);
          l.k.unary[kTanh](turn, cells.f32() + row * h, h, 0);
          for (int64_t j = 0; j < h; ++j) {
            float in = g[j], keep = g[h + j], fresh = g[2 * h + j], out = g[3 * h + j], up = c[j] + dh.f32()[row * h + j];
            float down = dc[j] + up * out * (1 - turn[j] * turn[j]);
            to[j] = down * fresh * in * (1 - in);
            to[h + j] = c_before ? down * c_before[j] * keep * (1 - keep) : 0;
            to[2 * h + j] = down * in * (1 - fresh * fresh);
            to[3 * h + j] = up * turn[j] * out * (1 - out);
            dc[j] = down * keep;
            c[j] = 0;
          }
          std::copy_n(to, 4 * h, dgates.f32() + row * 4 * h);
        }
        product(l.k, d, group.count(), 4 * h, packed.backward, h, tiles, back);
        for (int64_t i = 0; i < group.count(); ++i) l.k.binary[kAdd](carry + i * h, carry + i * h, back + i * narrow, h, 1, 1);
      }
    }
  });
}

template <int kKinds>
std::string refuse_recurrence(const NodeView& node, const Target&) {
  if (group_floats(kKinds, node.in[1].dim(1).n) * 4 > kWorkerBytes) return "states this wide need more memory than a worker has";
  return refuse_layouts(node);
}
template <bool kBackward>
int64_t recurrent_scratch(const NodeView& node, const Target&) {
  int64_t n = node.in[1].dim(0).n, h = node.in[1].dim(1).n;
  return (packed_floats(h, n) + (kBackward ? packed_floats(n, h) : 0)) * 4;
}

constexpr CpuKernel kKernels[] = {
    {{"gru", op_index<Gru>(), "f32", refuse_recurrence<3>, recurrent_scratch<false>}, gru},
    {{"gru_grad", op_index<GruGrad>(), "f32", refuse_recurrence<3>, recurrent_scratch<true>}, gru_grad},
    {{"lstm", op_index<Lstm>(), "f32", refuse_recurrence<4>, recurrent_scratch<false>}, lstm},
    {{"lstm_grad", op_index<LstmGrad>(), "f32", refuse_recurrence<4>, recurrent_scratch<true>}, lstm_grad},
};

}  // namespace

std::span<const CpuKernel> recurrent_kernels() { return kKernels; }

}  // namespace motley::cpu
