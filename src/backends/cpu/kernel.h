// What the CPU's kernel lists are made of. A launcher validates what a kernel cannot (ids, slots), works out shapes, and splits the work
// over the workers; all workers call it with the same arguments and must make the same sequence of split() and barrier() calls.
//
//   void run_rms_norm(const Launch& l, Worker& w) {
//     const Array &x = *l.in[0], &weight = *l.in[1], &y = *l.out[0];
//     int64_t n = x.dim(-1);
//     w.split(x.size() / n, 4, [&](int64_t begin, int64_t end) {
//       for (int64_t r = begin; r < end; ++r) l.k.rms_norm(y.f32() + r * n, x.f32() + r * n, weight.f32(), n, eps, offset);
//     });
//   }
#pragma once
#include <algorithm>
#include <span>
#include <string_view>

#include "backends/cpu/kernels/table.h"
#include "base/thread_pool.h"
#include "ir/op.h"
#include "ir/type.h"
#include "target/target.h"

namespace motley::cpu {

constexpr int kMaxRank = 8;

// A value of one step: where it is and its real sizes.
struct Array {
  std::byte* data = nullptr;
  Dtype dtype = Dtype::f32;
  int rank = 0;
  int64_t dims[kMaxRank] = {};
  std::string_view layout = kPlainLayout;

  int64_t dim(int axis) const { return dims[axis < 0 ? axis + rank : axis]; }
  int64_t size() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
  float* f32() const { return reinterpret_cast<float*>(data); }
  int32_t* i32() const { return reinterpret_cast<int32_t*>(data); }
};

// Memory of each worker for tiles and chunks; kernels refuse shapes that would need more.
constexpr int64_t kWorkerBytes = 1 << 20;

class Worker {
 public:
  static constexpr uint32_t kQueues = 64;

  Worker(ThreadPool& pool, WorkQueue* queues, int index, int workers, uint32_t first_use, std::byte* memory)
      : pool_(pool), queues_(queues), index_(index), workers_(workers), use_(first_use), memory_(memory) {}

  int index() const { return index_; }
  int workers() const { return workers_; }
  std::byte* memory() const { return memory_; }  // kWorkerBytes, aligned to 64
  uint32_t use() const { return use_; }

  // f(begin, end) for parts of 0..n, whoever is free takes the next.
  template <class Function>
  void split(int64_t n, int64_t grain, Function&& f) {
    if (since_barrier_ == kQueues) barrier();  // the queue taken now may still be in use by one who is behind
    ++since_barrier_;
    ++use_;
    queues_[use_ % kQueues].split(use_, n, std::max<int64_t>(grain, 1), workers_, f);
  }

  void barrier() {
    since_barrier_ = 0;
    pool_.barrier();
  }

 private:
  ThreadPool& pool_;
  WorkQueue* queues_;
  int index_, workers_;
  uint32_t use_, since_barrier_ = 0;
  std::byte* memory_;
};

struct Launch {
  const Op& op;
  std::span<const Array*const> in, out;
  std::byte* scratch;  // of the step, in the arena; null without
  const KernelTable& k;
};

struct CpuKernel {
  KernelInfo info;
  void (*run)(const Launch& launch, Worker& worker);
};

// The lists of the families, best first within an op.
std::span<const CpuKernel> elementwise_kernels();
std::span<const CpuKernel> shape_kernels();
std::span<const CpuKernel> reduce_kernels();
std::span<const CpuKernel> norm_kernels();
std::span<const CpuKernel> product_kernels();
std::span<const CpuKernel> attention_kernels();
std::span<const CpuKernel> gradient_product_kernels();
std::span<const CpuKernel> block_gradient_kernels();
std::span<const CpuKernel> segment_attention_kernels();
std::span<const CpuKernel> loss_kernels();
std::span<const CpuKernel> head_loss_kernels();
std::span<const CpuKernel> update_kernels();
std::span<const CpuKernel> window_kernels();
std::span<const CpuKernel> recurrent_kernels();

// All of them; the launcher of a kernel chosen by name for an op, null when there is none.
std::span<const KernelInfo> all_kernels();
const CpuKernel* find_kernel(std::string_view name, size_t op);

// ---- what predicates share: "" or why not
std::string refuse_unless_plain(const NodeView& node, Dtype dtype = Dtype::f32);  // all inputs and outputs of this type, in plain layout
std::string refuse_layouts(const NodeView& node);                                 // all inputs in plain layout

}  // namespace motley::cpu
