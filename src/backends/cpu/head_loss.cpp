// Launcher of the head's product with its cross-entropy. Rows that count are taken some hundred at a time: their logits are formed, become losses
// and the gradient to themselves where they lie, and are multiplied back, so that memory holds the logits of that many rows and never of all. Rows
// whose target is ignored cost nothing: the others are drawn together first.
//
// The sums are those of the ops it stands for, bit for bit where no target is ignored: products close theirs at multiples of 256, and parts are so
// many rows, or multiples.
#include <algorithm>
#include <cstring>

#include "backends/cpu/layout.h"
#include "backends/cpu/weight_panels.h"
#include "base/error.h"
#include "ir/text.h"

namespace motley::cpu {
namespace {

// Rows of a part. Every part packs the head anew, and reads and writes its gradient: 1,024 rows x 50,257 x 768 take 1.00 s in parts of 256 and 0.92 s
// in parts of 512. So parts are 512 rows where their logits are at most 128 MiB, else 256; and more where that is little memory.
constexpr int64_t kPartRows = 256, kUsualParts = 2;
constexpr int64_t kMostBytes = 128 << 20, kLittleBytes = 32 << 20;
constexpr int64_t kRun = 1024;

// What is where in the step's scratch memory.
struct HeadScratch {
  int64_t rows, width, classes;  // T, E, V
  bool x_gradient, w_gradient;

  int64_t part() const {
    const int64_t bytes = classes * 4 * kPartRows;
    return std::min(rows, std::max(std::clamp<int64_t>(kMostBytes / bytes, 1, kUsualParts), kLittleBytes / bytes) * kPartRows);
  }
  static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }
  int64_t order_at() const { return 64; }  // behind the number of rows that count
  int64_t losses_at() const { return order_at() + aligned(rows * 4); }
  int64_t drawn_at() const { return losses_at() + aligned(rows * 4); }
  int64_t back_at() const { return drawn_at() + aligned(part() * width * 4); }
  int64_t logits_at() const { return back_at() + (x_gradient ? aligned(part() * width * 4) : 0); }
  int64_t products_at() const { return logits_at() + aligned(part() * classes * 4); }
  int64_t bytes() const {
    int64_t products = gemm_scratch_at_most(part(), part(), width);
    if (x_gradient) products = std::max(products, gemm_scratch_at_most(part(), part(), classes));
    if (w_gradient) products = std::max(products, gemm_scratch_at_most(classes, width, part()));
    return products_at() + products;
  }
};

class HeadLossRun {
 public:
  HeadLossRun(const Launch& l, Worker& w) : l_(l), w_(w), op_(std::get<HeadLoss>(l.op)) {
    s_ = {l.in[0]->dims[0], l.in[0]->dims[1], l.in[1]->dims[0], op_.x_gradient, op_.w_gradient};
  }

  void run() {
    if (w_.index() == 0) draw();
    w_.barrier();
    const int64_t count = *at<int64_t>(0);
    clear_ignored(count);
    for (int64_t begin = 0; begin < count; begin += s_.part()) part(begin, std::min(s_.part(), count - begin), count == s_.rows);
    w_.barrier();
    if (w_.index() == 0) sum(count);
  }

 private:
  template <class T>
  T* at(int64_t offset) const {
    return reinterpret_cast<T*>(l_.scratch + offset);
  }
  const int32_t* targets() const { return l_.in[2]->i32(); }
  const int32_t* order() const { return at<int32_t>(s_.order_at()); }
  bool plain() const { return l_.in[1]->dtype == Dtype::f32; }
  float* dx() const { return l_.out[2]->f32(); }
  float* dw() const { return l_.out.back()->f32(); }

  void draw() {
    int64_t count = 0;
    for (int64_t r = 0; r < s_.rows; ++r) {
      const int64_t target = targets()[r];
      if (target == kIgnoreTarget) continue;
      if (target < 0 || target >= s_.classes)
        fail(ErrorKind::usage, op_name(l_.op), "row {} has target {}, of {} classes; {} leaves a row out", r, target, s_.classes, kIgnoreTarget);
      at<int32_t>(s_.order_at())[count++] = static_cast<int32_t>(r);
    }
    *at<int64_t>(0) = count;
  }

  void clear_ignored(int64_t count) {
    if (op_.x_gradient && count < s_.rows)
      w_.split(s_.rows, 64, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r)
          if (targets()[r] == kIgnoreTarget) std::fill_n(dx() + r * s_.width, s_.width, 0.0f);
      });
    if (op_.w_gradient && count == 0)
      w_.split(s_.classes, 64, [&](int64_t begin, int64_t end) { std::fill_n(dw() + begin * s_.width, (end - begin) * s_.width, 0.0f); });
  }

  // f(row of the part, row of x) for all rows of a part, shared among the workers.
  template <class F>
  void each_row(int64_t begin, int64_t rows, int64_t grain, F&& f) {
    w_.split(rows, grain, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) f(i, order()[begin + i]);
    });
  }

  // all: no row is left out, so those of a part are neighbours and are used where they lie.
  void part(int64_t begin, int64_t rows, bool all) {
    const int64_t e = s_.width, v = s_.classes;
    const size_t bytes = static_cast<size_t>(e) * 4;
    const float *given = l_.in[0]->f32(), *head = l_.in[1]->f32();
    float *x = at<float>(s_.drawn_at()), *back = at<float>(s_.back_at()), *logits = at<float>(s_.logits_at());
    std::byte* own = l_.scratch + s_.products_at();
    if (all)
      x = const_cast<float*>(given) + begin * e, back = op_.x_gradient ? dx() + begin * e : nullptr;
    else
      each_row(begin, rows, 16, [&](int64_t i, int64_t r) { std::memcpy(x + i * e, given + r * e, bytes); });
    w_.barrier();  // the rows are there, and the logits of the part before are no longer read
    Gemm forward{.m = rows, .n = v, .k = e, .a = x, .a_row = e, .a_k = 1, .b = head, .b_k = 1, .b_column = e, .c = logits, .c_row = v};
    if (plain())
      gemm(forward, l_.k, own, w_);
    else
      gemm(forward, WeightRows(*l_.in[1], l_.k), l_.k, own, w_);
    w_.barrier();
    each_row(begin, rows, 1, [&](int64_t i, int64_t r) { at<float>(s_.losses_at())[r] = loss_of(logits + i * v, targets()[r]); });
    if (op_.x_gradient) {
      w_.barrier();
      Gemm to_x{.m = rows, .n = e, .k = v, .a = logits, .a_row = v, .a_k = 1, .b = head, .b_k = e, .b_column = 1, .c = back, .c_row = e};
      if (plain())
        gemm(to_x, l_.k, own, w_);
      else
        gemm(to_x, WeightColumns(*l_.in[1], l_.k), l_.k, own, w_);
    }
    if (op_.w_gradient) {
      w_.barrier();
      gemm({.m = v, .n = e, .k = rows, .a = logits, .a_row = 1, .a_k = v, .b = x, .b_k = e, .b_column = 1, .c = dw(), .c_row = e, .add = begin > 0},
           l_.k, own, w_);
    }
    if (op_.x_gradient && !all) {
      w_.barrier();
      each_row(begin, rows, 16, [&](int64_t i, int64_t r) { std::memcpy(dx() + r * e, back + i * e, bytes); });
    }
  }

  // Of one row of logits, which become the gradient to themselves where one is asked for.
  float loss_of(float* row, int64_t target) const {
    const int64_t n = s_.classes;
    const float e = op_.smoothing, cap = op_.softcap;
    if (cap > 0) l_.k.unary[kSoftcap](row, row, n, cap);
    const float lse = l_.k.log_sum_exp(row, n);
    float loss = (1 - e) * (lse - row[target]);
    if (e > 0) loss += e * (lse - l_.k.reduce_row[kReduceMean](row, n));
    if (!op_.x_gradient && !op_.w_gradient) return loss;
    const float each = e / static_cast<float>(n);
    float capped[kRun];
    for (int64_t begin = 0; begin < n; begin += kRun) {
      const int64_t length = std::min(kRun, n - begin);
      float* run = row + begin;
      if (cap > 0) std::copy_n(run, length, capped);
      l_.k.softmax_grad(run, run, length, lse, 1, each);
      if (target >= begin && target < begin + length) row[target] -= 1 - e;
      if (cap > 0)
        for (int64_t i = 0; i < length; ++i) run[i] *= 1 - (capped[i] / cap) * (capped[i] / cap);
    }
    return loss;
  }

  void sum(int64_t count) {
    double total = 0;
    for (int64_t i = 0; i < count; ++i) total += static_cast<double>(at<float>(s_.losses_at())[order()[i]]);
    l_.out[0]->f32()[0] = static_cast<float>(total);
    l_.out[1]->f32()[0] = static_cast<float>(count);
  }

  const Launch& l_;
  Worker& w_;
  const HeadLoss& op_;
  HeadScratch s_;
};

void head_loss(const Launch& l, Worker& w) { HeadLossRun(l, w).run(); }

std::string refuse_head_loss(const NodeView& node, const Target&) {
  const Type& head = node.in[1];
  if (head.dtype != Dtype::f32 && std::get<HeadLoss>(node.op).w_gradient) return "a head that learns is f32";
  if (float_index(head.dtype) < 0 && !is_block_format(head.dtype)) return "reads heads in f32, f16, bf16 and block formats";
  for (const Dim& d : node.in[0].shape)
    if (d.sym != Sym::none) return "wants every size bound";
  return refuse_layouts(node);
}

int64_t head_loss_scratch(const NodeView& node, const Target&) {
  const auto& op = std::get<HeadLoss>(node.op);
  return HeadScratch{node.in[0].dim(0).n, node.in[0].dim(1).n, node.in[1].dim(0).n, op.x_gradient, op.w_gradient}.bytes();
}

constexpr CpuKernel kKernels[] = {{{"head_loss", op_index<HeadLoss>(), "panel.chunk256", refuse_head_loss, head_loss_scratch}, head_loss}};

}  // namespace

std::span<const CpuKernel> head_loss_kernels() { return kKernels; }

}  // namespace motley::cpu
