// An imaginary device for tests of passes: it has a kernel for exactly the ops named.
#pragma once
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "ir/text.h"
#include "target/target.h"

namespace motley {

class TestTarget {
 public:
  explicit TestTarget(std::initializer_list<std::string_view> ops) {
    for (size_t i = 0; i < kNumOps; ++i)
      for (std::string_view op : ops)
        if (op == op_name(i) || op == "*") kernels_.push_back({"kernel", i, "exact", [](const NodeView&, const Target&) { return std::string(); }});
    target_.name = "test:0";
    target_.kernels = kernels_;
  }
  const Target& get() const { return target_; }

 private:
  std::vector<KernelInfo> kernels_;
  Target target_;
};

// `before` after `pass` alone, as text.
template <class Pass>
std::string after(Pass pass, std::string_view before, const TestTarget& target, const std::set<std::string>& skip = {}) {
  return print(pass(parse_graph(before), {target.get(), skip}));
}

}  // namespace motley
