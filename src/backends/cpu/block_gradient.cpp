// Launcher of the product that passes a gradient back through a quantised weight: dx = dy W with W [N, K] in blocks along K, which is how it was
// read forward. For each value that is unpacked there are M multiply-adds.
#include "backends/cpu/layout.h"
#include "backends/cpu/weight_panels.h"

namespace motley::cpu {
namespace {

int64_t row_count(const Array& x) { return x.size() / std::max<int64_t>(x.dim(-1), 1); }

void matmul_back(const Launch& l, Worker& w) {
  const Array &x = *l.in[0], &weight = *l.in[1], &y = *l.out[0];
  const int64_t n = y.dim(-1), k = x.dim(-1);
  gemm({.m = row_count(x), .n = n, .k = k, .a = x.f32(), .a_row = k, .a_k = 1, .c = y.f32(), .c_row = n}, WeightColumns(weight, l.k), l.k, l.scratch,
       w);
}

std::string refuse_back(const NodeView& node, const Target&) {
  if (std::get<Matmul>(node.op).transpose_w) return "goes back: wants the weight as [K, N]";
  if (!is_block_format(node.in[1].dtype)) return "unpacks block formats";
  return node.layouts[0] == kPlainLayout ? "" : "wants x in plain layout";
}

int64_t back_scratch(const NodeView& node, const Target&) {
  const int64_t k = node.in[0].dim(-1).n, rows = max_elements(node.in[0].shape) / std::max<int64_t>(k, 1);
  return gemm_scratch_at_most(rows, rows, k);
}

constexpr CpuKernel kKernels[] = {{{"matmul_back", op_index<Matmul>(), "panel.chunk256", refuse_back, back_scratch}, matmul_back}};

}  // namespace

std::span<const CpuKernel> block_gradient_kernels() { return kKernels; }

}  // namespace motley::cpu
