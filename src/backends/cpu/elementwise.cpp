// Launchers of elementwise kernels: broadcasting is reduced to runs in which each input either advances or stands still.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "base/error.h"
#include "base/random.h"
#include "ir/text.h"
#include "quant/format.h"

namespace motley::cpu {
namespace {

constexpr int64_t kRun = 4096;  // elements per call: some microseconds, and a few pages

// A broadcast of two inputs as runs: `inner` elements with steps of 0 or 1, and an odometer over the rest.
struct Runs {
  int rank = 0;
  int64_t dims[kMaxRank], a[kMaxRank], b[kMaxRank];  // from the outermost; strides in elements
  int64_t inner = 1;
  int a_step = 0, b_step = 0;
  int64_t outer() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
};

Runs make_runs(const Array& a, const Array& b, const Array& out) {
  // Axes from the innermost; neighbours along which both inputs advance alike become one.
  int64_t dims[kMaxRank], as[kMaxRank], bs[kMaxRank], a_stride = 1, b_stride = 1;
  int n = 0;
  for (int i = 1; i <= out.rank; ++i) {
    int64_t d = out.dim(-i), da = i <= a.rank ? a.dim(-i) : 1, db = i <= b.rank ? b.dim(-i) : 1;
    int64_t sa = da == 1 ? 0 : a_stride, sb = db == 1 ? 0 : b_stride;
    a_stride *= da, b_stride *= db;
    if (d == 1) continue;
    if (n > 0 && sa == as[n - 1] * dims[n - 1] && sb == bs[n - 1] * dims[n - 1]) {
      dims[n - 1] *= d;
    } else {
      dims[n] = d, as[n] = sa, bs[n] = sb;
      ++n;
    }
  }
  Runs r;
  if (n == 0) return r;
  r.inner = dims[0], r.a_step = static_cast<int>(as[0]), r.b_step = static_cast<int>(bs[0]);
  r.rank = n - 1;
  for (int i = 0; i < r.rank; ++i) r.dims[i] = dims[n - 1 - i], r.a[i] = as[n - 1 - i], r.b[i] = bs[n - 1 - i];
  return r;
}

void run_binary(Binary op, const Launch& l, Worker& w) {
  const Array &a = *l.in[0], &b = *l.in[1], &out = *l.out[0];
  if (out.size() == 0) return;
  Runs r = make_runs(a, b, out);
  int64_t pieces = (r.inner + kRun - 1) / kRun;
  w.split(r.outer() * pieces, kRun / std::min(r.inner, kRun), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      int64_t row = task / pieces, from = task % pieces * kRun, rest = row, a_at = 0, b_at = 0;
      for (int i = r.rank - 1; i >= 0; --i) {
        a_at += rest % r.dims[i] * r.a[i], b_at += rest % r.dims[i] * r.b[i];
        rest /= r.dims[i];
      }
      l.k.binary[op](out.f32() + row * r.inner + from, a.f32() + a_at + from * r.a_step, b.f32() + b_at + from * r.b_step,
                     std::min(kRun, r.inner - from), r.a_step, r.b_step);
    }
  });
}

// f(begin, count) over runs of n elements.
template <class Function>
void split_runs(int64_t n, Worker& w, Function&& f) {
  w.split((n + kRun - 1) / kRun, 1, [&](int64_t begin, int64_t end) { f(begin * kRun, std::min(end * kRun, n) - begin * kRun); });
}

void run_unary(Unary op, float parameter, const Launch& l, Worker& w) {
  split_runs(l.out[0]->size(), w, [&](int64_t at, int64_t n) { l.k.unary[op](l.out[0]->f32() + at, l.in[0]->f32() + at, n, parameter); });
}

template <Binary kOp>
void binary(const Launch& l, Worker& w) {
  run_binary(kOp, l, w);
}
template <Unary kOp>
void unary(const Launch& l, Worker& w) {
  run_unary(kOp, 0, l, w);
}

void act(const Launch& l, Worker& w) {
  constexpr Unary kOf[] = {kSilu, kGelu, kGeluTanh, kRelu};
  run_unary(kOf[static_cast<size_t>(std::get<Act>(l.op).kind)], 0, l, w);
}

void glu(const Launch& l, Worker& w) {
  auto kind = static_cast<size_t>(std::get<Glu>(l.op).kind);
  split_runs(l.out[0]->size(), w, [&](int64_t at, int64_t n) { l.k.glu[kind](l.out[0]->f32() + at, l.in[0]->f32() + at, l.in[1]->f32() + at, n); });
}

void softcap(const Launch& l, Worker& w) { run_unary(kSoftcap, std::get<Softcap>(l.op).cap, l, w); }

void act_grad(const Launch& l, Worker& w) {
  auto kind = static_cast<size_t>(std::get<ActGrad>(l.op).kind);
  split_runs(l.out[0]->size(), w,
             [&](int64_t at, int64_t n) { l.k.act_grad[kind](l.out[0]->f32() + at, l.in[0]->f32() + at, l.in[1]->f32() + at, n); });
}

void dropout(const Launch& l, Worker& w) {
  const auto& op = std::get<Dropout>(l.op);
  const Array &x = *l.in[0], &y = *l.out[0];
  auto word = [&](int i) { return static_cast<uint64_t>(static_cast<uint32_t>(l.in[1]->i32()[i])); };
  uint64_t seed = word(0) | word(1) << 32, stream = word(2) << 32 | static_cast<uint64_t>(op.stream);
  uint64_t first = x.dims[0] > 0 ? word(3) * static_cast<uint64_t>(x.size() / x.dims[0]) : 0;
  float scale = 1 / (1 - op.rate);
  split_runs(x.size(), w, [&](int64_t at, int64_t n) {
    for (int64_t i = at; i < at + n; ++i)
      y.f32()[i] = philox_uniform(seed, stream, first + static_cast<uint64_t>(i)) < op.rate ? 0 : x.f32()[i] * scale;
  });
}

// A cast goes through f32 in small pieces; i32 is exact in double.
void cast(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &y = *l.out[0];
  split_runs(x.size(), w, [&](int64_t at, int64_t n) {
    if (x.dtype == y.dtype) {
      int64_t bytes = info(x.dtype).block_bytes;
      std::memcpy(y.data + at * bytes, x.data + at * bytes, static_cast<size_t>(n * bytes));
      return;
    }
    constexpr int64_t kPiece = 256;
    float values[kPiece];
    for (int64_t from = at; from < at + n; from += kPiece) {
      const int64_t count = std::min(kPiece, at + n - from);
      const int64_t x_bytes = info(x.dtype).block_bytes, y_bytes = info(y.dtype).block_bytes;
      if (x.dtype == Dtype::i32)
        std::copy_n(x.i32() + from, count, values);
      else
        format(x.dtype).unpack(x.data + from * x_bytes, values, count);
      if (y.dtype == Dtype::i32)
        for (int64_t i = 0; i < count; ++i)
          y.i32()[from + i] =
              std::isnan(values[i]) ? 0 : static_cast<int32_t>(std::clamp(static_cast<double>(values[i]), -2147483648.0, 2147483647.0));
      else
        format(y.dtype).pack(values, y.data + from * y_bytes, count);
    }
  });
}

std::string refuse_elementwise(const NodeView& node, const Target&) { return refuse_unless_plain(node); }

std::string refuse_glu(const NodeView& node, const Target&) {
  if (std::string why = refuse_unless_plain(node); !why.empty()) return why;
  return node.in[0] == node.in[1] ? "" : "the inputs have different shapes";
}

std::string refuse_dropout(const NodeView& node, const Target&) { return refuse_layouts(node); }

std::string refuse_cast(const NodeView& node, const Target&) {
  auto takes = [](Dtype d) { return d == Dtype::f32 || d == Dtype::f16 || d == Dtype::bf16 || d == Dtype::i32; };
  if (!takes(node.in[0].dtype) || !takes(node.out[0].dtype)) return "casts between f32, f16, bf16 and i32";
  return refuse_layouts(node);
}

template <class T>
constexpr CpuKernel entry(const char* name, void (*run)(const Launch&, Worker&),
                          std::string (*refuse)(const NodeView&, const Target&) = refuse_elementwise) {
  return {{.name = name, .op = op_index<T>(), .numerics = "f32", .refuse = refuse}, run};
}

constexpr CpuKernel kKernels[] = {
    {{.name = "add", .op = op_index<Add>(), .numerics = "f32", .refuse = refuse_elementwise, .in_place = 0}, binary<kAdd>},
    entry<Sub>("sub", binary<kSub>),
    entry<Mul>("mul", binary<kMul>),
    entry<Div>("div", binary<kDiv>),
    entry<Maximum>("maximum", binary<kMaximum>),
    entry<Less>("less", binary<kLess>),
    entry<Neg>("neg", unary<kNeg>),
    entry<Exp>("exp", unary<kExp>),
    entry<Log>("log", unary<kLog>),
    entry<Sqrt>("sqrt", unary<kSqrt>),
    entry<Rsqrt>("rsqrt", unary<kRsqrt>),
    entry<Tanh>("tanh", unary<kTanh>),
    entry<Erf>("erf", unary<kErf>),
    entry<Sigmoid>("sigmoid", unary<kSigmoid>),
    entry<Cast>("cast", cast, refuse_cast),
    entry<Act>("act", act),
    entry<ActGrad>("act_grad", act_grad, refuse_glu),
    entry<Glu>("glu", glu, refuse_glu),
    entry<Dropout>("dropout", dropout, refuse_dropout),
    entry<Softcap>("softcap", softcap),
};

}  // namespace

std::span<const CpuKernel> elementwise_kernels() { return kKernels; }

}  // namespace motley::cpu
