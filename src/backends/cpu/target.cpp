#include "backends/cpu/target.h"

#include <unistd.h>

#include <cstring>
#include <vector>

#include "backends/cpu/isa.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/layout.h"
#include "base/cores.h"
#include "base/error.h"
#include "ir/text.h"

namespace motley {
namespace cpu {
namespace {

std::vector<CpuKernel> join() {
  std::vector<CpuKernel> all;
  for (auto list : {elementwise_kernels(), shape_kernels(), reduce_kernels(), norm_kernels(), gradient_product_kernels(), product_kernels(),
                    block_gradient_kernels(), attention_kernels(), segment_attention_kernels(), loss_kernels(), head_loss_kernels(), update_kernels(),
                    window_kernels(), recurrent_kernels()})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

const std::vector<CpuKernel>& kernels() {
  static const std::vector<CpuKernel> all = join();
  return all;
}

std::string_view packed_layout(const Type& weight, const Op& product, const Target&) {
  bool transposed = true;
  if (const auto* m = std::get_if<Matmul>(&product)) transposed = m->transpose_w;
  if (const auto* m = std::get_if<FusedMatmul>(&product)) transposed = m->transpose_w;
  // Float weights that gradients pass through are read by columns too, which needs them plain; blocks are unpacked either way.
  return (transposed || is_block_format(weight.dtype)) && can_pack(weight.dtype, weight.dim(-1).n) ? kPanelLayout : kPlainLayout;
}

}  // namespace

std::span<const KernelInfo> all_kernels() {
  static const std::vector<KernelInfo> infos = [] {
    std::vector<KernelInfo> out;
    for (const CpuKernel& k : kernels()) out.push_back(k.info);
    return out;
  }();
  return infos;
}

const CpuKernel* find_kernel(std::string_view name, size_t op) {
  for (const CpuKernel& k : kernels())
    if (k.info.op == op && name == k.info.name) return &k;
  return nullptr;
}

std::string refuse_layouts(const NodeView& node) {
  for (size_t i = 0; i < node.layouts.size(); ++i)
    if (node.layouts[i] != kPlainLayout) return fmt::format("input {} is in layout {}", i, node.layouts[i]);
  for (const Type& t : node.in)
    if (t.rank() > kMaxRank) return fmt::format("more than {} axes", kMaxRank);
  return "";
}

std::string refuse_unless_plain(const NodeView& node, Dtype dtype) {
  for (size_t i = 0; i < node.in.size(); ++i)
    if (node.in[i].dtype != dtype) return fmt::format("input {} is {}, this takes {}", i, name(node.in[i].dtype), name(dtype));
  return refuse_layouts(node);
}

}  // namespace cpu

Target cpu_target(const CpuTargetOptions& options) {
  Target t;
  t.isa = cpu::name(cpu::choose_isa(options.isa));
  t.description = cpu::processor_name();
  t.memory_bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  t.threads = options.threads > 0 ? options.threads : default_threads();
  t.kernels = cpu::all_kernels();
  if (options.packed) t.weight_layout = cpu::packed_layout;
  return t;
}

}  // namespace motley
