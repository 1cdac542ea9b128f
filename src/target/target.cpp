#include "target/target.h"

namespace motley {

KernelChoice choose_kernel(const Target& target, const NodeView& node) {
  KernelChoice choice;
  for (const KernelInfo& k : target.kernels) {
    if (k.op != node.op.index()) continue;
    std::string reason = k.refuse(node, target);
    if (reason.empty()) {
      choice.kernel = &k;
      return choice;
    }
    choice.refusals.emplace_back(k.name, std::move(reason));
  }
  return choice;
}

}  // namespace motley
